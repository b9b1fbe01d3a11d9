-- confirm: INIT -> PENDING_PAYMENT. The creation needs no repeating any more, and whoever waits for it is told.
--
-- $1 order id, $2 transaction. ended = true when there was such an order.
with ended as (
  update orders
  set status = 'PENDING_PAYMENT',
      status_since = now()
  where order_id = $1
    and transaction = $2
    and status = 'INIT'
  returning order_id, status
), noted as (
  insert into order_history (order_id, status)
  select order_id, status
  from ended
), settled as (
  delete from order_creation
  where order_id = $1
    and transaction = $2
  returning order_id, awaited
)
select
  exists (select from ended) as ended,
  (select pg_notify('order_creation_ended', order_id) from settled where awaited) as told
