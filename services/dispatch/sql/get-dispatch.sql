-- $1 order id.
select state
from dispatch
where order_id = $1
