-- How many orders wait for their creation to end, up to $1 of them: who wants to know whether it is too many needs no more.
select count(*)::integer as orders
from (
  select
  from creation
  where flow = 'create-order'
    and due_at < 'infinity'
  limit $1
) as waiting
