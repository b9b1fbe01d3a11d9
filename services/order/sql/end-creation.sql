-- The transaction's branch here has ended: its creation needs no repeating any more, and whoever waits for it is told. It is
-- kept apart from the outbox, for the case that what it brought about is lost elsewhere.
--
-- $1 transaction.
with ended as (
  delete from creation
  where transaction = $1
  returning transaction, flow, order_id, payload, traceparent, created_at, awaited
), kept as (
  insert into ended_creation (transaction, flow, order_id, payload, traceparent, created_at)
  select transaction, flow, order_id, payload, traceparent, created_at
  from ended
)
select pg_notify('order_creation_ended', order_id) as told
from ended
where awaited
