-- Payments of these orders: those that were captured, then the others, the oldest first. Anybody can ask for any number of payments,
-- and none of these may hide money.
--
-- $1 order ids, $2 payments at most, $3 the only one that is asked about, or null.
select
  payment_id,
  order_id,
  namespace,
  amount_cents::float8 as amount_cents,
  captured_cents::float8 as captured_cents,
  status
from payments
where order_id = any($1)
  and ($3::text is null or payment_id = $3)
order by captured_cents is null, created_at, payment_id
limit $2
