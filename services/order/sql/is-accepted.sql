-- Whether an order is on its way: accepted, and its own row not there yet. $1 order id.
select
from creation
where order_id = $1
  and flow = 'create-order'
