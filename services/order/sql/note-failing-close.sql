-- Says in an order's history, once, that its closes come to nothing. $1 order id, $2 reason.
insert into order_history (order_id, status, reason)
select order_id, status, $2
from orders
where order_id = $1
  and status = 'PENDING_PAYMENT'
  and closes >= 3
  and not exists (
    select from order_history
    where order_id = $1
      and reason = $2
  )
