-- The transaction's branch here has ended: its creation needs no repeating any more, and whoever waits for it is told.
--
-- $1 transaction.
with ended as (
  delete from creation
  where transaction = $1
  returning order_id, awaited
)
select pg_notify('order_creation_ended', order_id) as told
from ended
where awaited
