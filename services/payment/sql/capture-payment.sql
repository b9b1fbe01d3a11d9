-- PENDING -> SUCCEEDED, of a payment that is locked. $1 payment id, $2 captured cents.
update payments
set status = 'SUCCEEDED',
    captured_cents = $2,
    captured_at = now()
where payment_id = $1
  and status = 'PENDING'
