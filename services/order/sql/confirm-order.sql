-- confirm of any of an order's transactions: the order goes on, and the transaction's creation is repeated no more. It is kept apart from
-- the outbox, for the case that what it brought about is lost elsewhere.
--
-- $1 order id, $2 transaction, $3 the status that its try has left, $4 status, $5 the payment that has paid it, $6 seconds until it is
-- closed unless it is paid, $7 reason. The last three are null where the status has none; a payment or a date once there stays.
-- Done when the order was as the try has left it. awaited: somebody waits to hear of it; awaited_by: in this process alone, where there is
-- one. closes, closing: as before.
with claimed as (select), moved as (
  update orders
  set status = $4,
      status_since = now(),
      held_by = null,
      payment_id = coalesce($5, payment_id),
      close_at = coalesce(now() + make_interval(secs => $6), close_at)
  from claimed
  where order_id = $1
    and status = $3
    and coalesce(held_by, transaction) = $2
  returning order_id, status, closes, closing
), step as (
  insert into order_history (order_id, status, reason)
  select order_id, status, $7
  from moved
), ended as (
  delete from creation
  using moved
  where transaction = $2
  returning transaction, flow, creation.order_id, payload, traceparent, created_at, awaited, awaited_by
), kept as (
  insert into ended_creation (transaction, flow, order_id, payload, traceparent, created_at)
  select transaction, flow, order_id, payload, traceparent, created_at
  from ended
), outcome as (
  select
    exists (select from moved) as done,
    exists (select from ended where awaited) as awaited,
    (select awaited_by from ended) as awaited_by,
    (select closes from moved) as closes,
    (select closing from moved) as closing
)
select * from outcome
