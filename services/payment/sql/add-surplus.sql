-- A further capture of a payment that is locked, and the order to give it back. $1 payment id, $2 capture id, $3 cents, $4 reason.
with surplus as (
  insert into captures (payment_id, capture_id, amount_cents)
  values ($1, $2, $3)
  returning payment_id, capture_id, amount_cents
)
insert into refunds (payment_id, capture_id, amount_cents, reason, state)
select payment_id, capture_id, amount_cents, $4, 'WAITING'
from surplus
