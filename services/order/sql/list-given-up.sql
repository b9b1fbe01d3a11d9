-- Creations that are not sent any more, the oldest first: each is for a person. $1 rows at most.
select
  transaction,
  flow,
  order_id,
  extract(epoch from now() - created_at)::float8 as age_seconds,
  last_error
from creation
where due_at = 'infinity'
order by created_at
limit $1
