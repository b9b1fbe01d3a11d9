-- All payments of these orders, the oldest first. $1 order ids, $2 payments at most.
select
  payment_id,
  order_id,
  namespace,
  amount_cents::float8 as amount_cents,
  captured_cents::float8 as captured_cents,
  status
from payments
where order_id = any($1)
order by created_at, payment_id
limit $2
