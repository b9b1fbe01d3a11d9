-- The payment that this key has asked for. $1 idempotency key.
select
  payment_id,
  order_id,
  namespace,
  amount_cents::float8 as amount_cents,
  captured_cents::float8 as captured_cents,
  status
from payments
where idempotency_key = $1
