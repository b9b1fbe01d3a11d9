-- The order, if a close could be begun now. $1 order id.
select
  order_id,
  transaction
from orders
where order_id = $1
  and status = 'PENDING_PAYMENT'
  and closing is null
