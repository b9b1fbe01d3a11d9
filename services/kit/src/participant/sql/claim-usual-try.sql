-- The claim of a try as it usually comes, first of its branch, joined with the business change: takes the row of a branch that has
-- none. Waits for another call that is about to insert it; then takes nothing.
with likely as (select)
insert into ordertx_fence (transaction, branch, path, state, digest, payload)
select $1, $2, $3, 'Tried', $4, $5
from likely
on conflict (transaction, branch) do nothing
returning transaction as key
