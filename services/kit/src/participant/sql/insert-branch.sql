-- Takes the row of a branch that has none. Waits for another call that is about to insert it; then inserts nothing.
insert into ordertx_fence (transaction, branch, path, state, digest, payload)
values ($1, $2, $3, $4, $5, $6)
on conflict (transaction, branch) do nothing;
