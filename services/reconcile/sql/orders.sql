-- The order service's orders.
select
  order_id,
  extract(epoch from now() - status_since)::float8 as age_seconds,
  status,
  user_id as "userId",
  total_cents::float8 as "totalCents",
  payment_id as "paymentId",
  lines
from orders
