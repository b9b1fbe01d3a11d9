-- Points that members were granted for orders.
select
  order_id,
  extract(epoch from now() - granted_at)::float8 as age_seconds,
  payment_id as "paymentId",
  user_id as "userId",
  points::float8 as points,
  growth::float8 as growth
from point_grant
