-- cancel of a create-order after its try: INIT -> CANCELLED.
--
-- $1 order id, $2 transaction, $3 reason. Gives one row when there was such an order.
with ended as (
  update orders
  set status = 'CANCELLED',
      status_since = now()
  where order_id = $1
    and transaction = $2
    and status = 'INIT'
  returning order_id, status
)
insert into order_history (order_id, status, reason)
select order_id, status, $3
from ended
returning order_id
