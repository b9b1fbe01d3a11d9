-- The claim of a confirm as it usually comes, after its try, joined with the business change. Waits for another call of the same branch
-- to end; takes nothing where that left anything but what was tried, at this path and with this payload.
with likely as (select)
update ordertx_fence
set state = 'Confirmed',
    payload = null,
    changed_at = now()
from likely
where transaction = $1
  and branch = $2
  and path = $3
  and state = 'Tried'
  and digest = $4
returning transaction as key
