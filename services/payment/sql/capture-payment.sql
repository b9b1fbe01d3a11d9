-- PENDING -> SUCCEEDED, of a payment that is locked, with its capture. $1 payment id, $2 captured cents, $3 capture id.
with captured as (
  update payments
  set status = 'SUCCEEDED',
      captured_cents = $2,
      captured_at = now(),
      capture_id = $3
  where payment_id = $1
    and status = 'PENDING'
  returning payment_id, captured_cents, captured_at
)
insert into captures (payment_id, capture_id, amount_cents, captured_at)
select payment_id, $3, captured_cents, captured_at
from captured
