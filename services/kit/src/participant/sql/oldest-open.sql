-- For the metrics: the age of the oldest row whose branch has no end. In the order of an index of such rows, it is the first.
select extract(epoch from now() - created_at)::float8 as oldest_seconds
from ordertx_fence
where state in ('Tried', 'Refused')
order by created_at
limit 1
