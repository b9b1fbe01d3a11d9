-- The payment that an order's points were granted for. $1 order id.
select payment_id
from point_grant
where order_id = $1
