-- The provider has taken a refund; the payment whose own capture it was is REFUNDED. Once more changes nothing.
--
-- $1 payment id, $2 capture id.
with taken as (
  update refunds
  set state = 'TAKEN',
      taken_at = now(),
      last_error = null
  where payment_id = $1
    and capture_id = $2
    and state = 'WAITING'
  returning payment_id, capture_id
)
update payments
set status = 'REFUNDED'
from taken
where payments.payment_id = taken.payment_id
  and coalesce(payments.capture_id, '') = taken.capture_id
  and payments.status = 'REFUNDING'
