-- Holds an order's row until the database transaction ends, and shows what is decided by. $1 order id.
select
  order_id,
  transaction,
  status,
  user_id,
  total_cents::float8 as total_cents,
  held_by,
  payment_id,
  closes,
  closing
from orders
where order_id = $1
for update
