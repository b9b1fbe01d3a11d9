-- What was captured of a payment under this id. $1 payment id, $2 capture id.
select amount_cents::float8 as amount_cents
from captures
where payment_id = $1
  and capture_id = $2
