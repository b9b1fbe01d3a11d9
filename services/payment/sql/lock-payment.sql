-- A payment as it is, and as it stays until the database transaction ends. $1 payment id.
select
  payment_id,
  order_id,
  namespace,
  amount_cents::float8 as amount_cents,
  captured_cents::float8 as captured_cents,
  status
from payments
where payment_id = $1
for update
