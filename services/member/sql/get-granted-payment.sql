-- The payment that an order's points were granted for, and the namespace it was told of from. $1 order id.
select payment_id, namespace
from point_grant
where order_id = $1
