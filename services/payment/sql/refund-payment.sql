-- SUCCEEDED -> REFUNDING, of a payment that is locked, with the order to give back its capture. $1 payment id, $2 reason.
with refunding as (
  update payments
  set status = 'REFUNDING'
  where payment_id = $1
    and status = 'SUCCEEDED'
  returning payment_id, coalesce(capture_id, '') as capture_id, captured_cents
)
insert into refunds (payment_id, capture_id, amount_cents, reason, state)
select payment_id, capture_id, captured_cents, $2, 'WAITING'
from refunding
