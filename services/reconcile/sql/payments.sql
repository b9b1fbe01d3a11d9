-- Payments, and what was given back of them.
select
  order_id,
  extract(epoch from now() - greatest(created_at, captured_at, refunds.at))::float8 as age_seconds,
  payment_id,
  status,
  captured_cents::float8 as "capturedCents",
  refunds.amount_cents::float8 as "refundedCents"
from payments
left join refunds using (payment_id)
