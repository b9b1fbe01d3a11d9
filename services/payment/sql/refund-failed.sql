-- Why the provider did not take a refund; when it is sent again stands already. $1 payment id, $2 capture id, $3 error.
update refunds
set last_error = $3
where payment_id = $1
  and capture_id = $2
  and state = 'WAITING'
