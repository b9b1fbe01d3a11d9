-- try: the order's row, INIT since the moment it was accepted.
--
-- $1 order id, $2 transaction, $3 user id, $4 total in cents, $5 lines (JSON).
-- Gives no row when another transaction has placed this order id.
with placed as (
  insert into orders (order_id, transaction, user_id, total_cents, lines, status, status_since)
  values (
    $1, $2, $3, $4, $5::jsonb, 'INIT',
    coalesce((select created_at from creation where transaction = $2), now())
  )
  on conflict (order_id) do nothing
  returning order_id, status, status_since
)
insert into order_history (order_id, status, at)
select order_id, status, status_since
from placed
returning order_id
