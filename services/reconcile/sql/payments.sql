-- Payments, their captures, and what was given back of them.
select
  order_id,
  extract(epoch from now() - greatest(created_at, captured_at, own.at))::float8 as age_seconds,
  payments.payment_id,
  status,
  captured_cents::float8 as "capturedCents",
  own.amount_cents::float8 as "refundedCents",
  (
    select coalesce(
      jsonb_agg(
        jsonb_build_object(
          'captureId', captures.capture_id,
          'cents', captures.amount_cents,
          'refundedCents', refunds.amount_cents
        )
      ),
      '[]'
    )
    from captures
    left join refunds using (payment_id, capture_id)
    where captures.payment_id = payments.payment_id
      and captures.capture_id <> coalesce(payments.capture_id, '')
  ) as surplus,
  (
    select count(*)::integer
    from refunds
    where refunds.payment_id = payments.payment_id
      and state = 'WAITING'
  ) as "refundsWaiting"
from payments
left join refunds as own
  on own.payment_id = payments.payment_id
  and own.capture_id = coalesce(payments.capture_id, '')
