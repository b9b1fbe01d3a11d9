-- Begins to close orders whose time to pay is over, the longest overdue first: the order's mark and the outbox row of the
-- close's creation in one statement. SKIP LOCKED: replicas take different orders, and one that is just being paid is left.
--
-- $1 namespace, $2 orders at most, $3 seconds until a relay may send it.
with due as (
  select order_id
  from orders
  where status = 'PENDING_PAYMENT'
    and closing is null
    and close_at <= now()
  order by close_at
  limit $2
  for update skip locked
), opened as (
  update orders
  set closes = closes + 1,
      closing = $1 || '/close-' || orders.order_id || '-' || closes + 1
  from due
  where orders.order_id = due.order_id
  returning orders.order_id, closing, lines, case when withdrawn then 'withdrawn' else 'unpaid' end as cause
)
insert into creation (transaction, flow, order_id, payload, traceparent, awaited, due_at)
select
  closing,
  'close-order',
  order_id,
  jsonb_build_object('orderId', order_id, 'lines', lines, 'cause', cause),
  '00-' || replace(gen_random_uuid()::text, '-', '') || '-' || left(md5(random()::text), 15) || '1-01',
  false,
  now() + make_interval(secs => $3)
from opened
returning transaction, flow, payload, traceparent
