-- Transactions that the order service wants created, and those whose creation has ended for it and is kept.
select
  order_id,
  extract(epoch from now() - created_at)::float8 as age_seconds,
  transaction,
  false as ended
from creation
union all
select
  order_id,
  extract(epoch from now() - ended_at)::float8,
  transaction,
  true
from ended_creation
