-- How many ended creations would be made again, by flow; those that are due already are counted apart.
--
-- $1 since when they ended, $2 flow, $3 order ids; each null where it does not matter.
select
  flow,
  count(*) filter (where due_at is null)::integer as chosen,
  count(*) filter (where due_at is not null)::integer as already
from ended_creation
where ($1::timestamptz is null or ended_at >= $1)
  and ($2::text is null or flow = $2)
  and ($3::text[] is null or order_id = any($3))
group by flow
order by flow <> 'create-order', flow
