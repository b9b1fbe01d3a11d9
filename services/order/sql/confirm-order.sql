-- confirm of a create-order: INIT -> PENDING_PAYMENT. From now on it has $3 seconds to be paid.
--
-- $1 order id, $2 transaction. Gives one row when there was such an order.
with ended as (
  update orders
  set status = 'PENDING_PAYMENT',
      status_since = now(),
      close_at = now() + make_interval(secs => $3)
  where order_id = $1
    and transaction = $2
    and status = 'INIT'
  returning order_id, status
)
insert into order_history (order_id, status)
select order_id, status
from ended
returning order_id
