-- Begins to close an order because its customer does not want it any more. Its row is locked by the same database
-- transaction, PENDING_PAYMENT, and no close of it is under way.
--
-- $1 order id, $2 namespace, $3 traceparent, $4 seconds until a relay may send it.
with opened as (
  update orders
  set withdrawn = true,
      closes = closes + 1,
      closing = $2 || '/close-' || order_id || '-' || closes + 1
  where order_id = $1
  returning order_id, closing, lines
)
insert into creation (transaction, flow, order_id, payload, traceparent, awaited, due_at)
select
  closing,
  'close-order',
  order_id,
  jsonb_build_object('orderId', order_id, 'lines', lines, 'cause', 'withdrawn'),
  $3,
  true,
  now() + make_interval(secs => $4)
from opened
returning transaction, flow, payload, traceparent
