-- Begins to close orders that are locked by the same database transaction, PENDING_PAYMENT, and not being closed: the order's mark
-- and the outbox row of the close's creation in one statement.
--
-- The number is the next that no transaction has used here: one that somebody else has made, under a name that was not begun yet, has
-- a row in the fence, which would answer for it. A statement of its own after the lock, so that it sees every such row.
-- $1 order ids, $2 whether the customer has withdrawn them just now, $3 traceparent, or null: each begins its own, $4 whether somebody
-- waits for the end, $5 seconds until a relay may send it.
with opened as (
  update orders
  set withdrawn = orders.withdrawn or $2,
      closes = next.number,
      closing = next.closing
  from orders as due
  cross join lateral (
    select number, closing
    from (
      select number, split_part(due.transaction, '/', 1) || '/close-' || due.order_id || '-' || number as closing
      from (select generate_series(due.closes + 1, 999999) as number) as numbers
    ) as names
    where not exists (select from ordertx_fence where transaction = closing)
    limit 1
  ) as next
  where due.order_id = any($1)
    and orders.order_id = due.order_id
  returning orders.order_id, orders.closing, orders.lines, orders.withdrawn
)
insert into creation (transaction, flow, order_id, payload, traceparent, awaited, due_at)
select
  closing,
  'close-order',
  order_id,
  jsonb_build_object(
    'orderId', order_id,
    'lines', lines,
    'cause', case when withdrawn then 'withdrawn' else 'unpaid' end
  ),
  coalesce($3, '00-' || replace(gen_random_uuid()::text, '-', '') || '-' || left(md5(random()::text), 15) || '1-01'),
  $4,
  now() + make_interval(secs => $5)
from opened
returning transaction, flow, payload, traceparent
