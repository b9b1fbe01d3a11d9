-- Begins to apply a payment: the outbox row of its pay-order transaction's creation. Nothing is begun that has ended here
-- already, as the order's row or the fence says, or is under way. The order's row is locked by the same database transaction.
--
-- $1 transaction, $2 payment id, $3 order id, $4 amount in cents, $5 traceparent, $6 seconds until a relay may send it.
insert into creation (transaction, flow, order_id, payload, traceparent, awaited, due_at)
select
  $1,
  'pay-order',
  order_id,
  jsonb_build_object(
    'orderId', order_id,
    'userId', user_id,
    'lines', lines,
    'totalCents', total_cents,
    'paymentId', $2::text,
    'amountCents', $4::bigint
  ),
  $5,
  false,
  now() + make_interval(secs => $6)
from orders
where order_id = $3
  and payment_id is distinct from $2
  and not exists (
    select from ordertx_fence
    where transaction = $1
      and branch = 'order'
      and state in ('Confirmed', 'Cancelled')
  )
on conflict (transaction) do nothing
returning transaction, flow, payload, traceparent
