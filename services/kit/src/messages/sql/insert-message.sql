-- Takes a message as handled. Waits for a copy of it that is being handled; inserts nothing where one was handled before.
-- $1 id, $2 type, $3 digest.
insert into ordertx_inbox (id, type, digest)
values ($1, $2, $3)
on conflict (id) do nothing
