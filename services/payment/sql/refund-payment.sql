-- SUCCEEDED -> REFUNDED, of a payment that is locked, with what a provider would be told. $1 payment id, $2 reason.
with refunded as (
  update payments
  set status = 'REFUNDED'
  where payment_id = $1
    and status = 'SUCCEEDED'
  returning payment_id, captured_cents
)
insert into refunds (payment_id, amount_cents, reason)
select payment_id, captured_cents, $2
from refunded
