-- The newest payment of the order that is still PENDING. $1 order id.
select
  payment_id,
  order_id,
  namespace,
  amount_cents::float8 as amount_cents,
  captured_cents::float8 as captured_cents,
  status
from payments
where order_id = $1
  and status = 'PENDING'
order by created_at desc, payment_id
limit 1
