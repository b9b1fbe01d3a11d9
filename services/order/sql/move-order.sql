-- An order's next status; its row is locked by the same database transaction.
--
-- $1 order id, $2 status, $3 the transaction that holds it now, $4 the payment that has paid it, $5 reason. $3 and $4 are
-- null where the status has none; a payment once there stays.
with moved as (
  update orders
  set status = $2,
      status_since = now(),
      held_by = $3,
      payment_id = coalesce($4, payment_id)
  where order_id = $1
  returning order_id, status
)
insert into order_history (order_id, status, reason)
select order_id, status, $5
from moved
returning order_id
