-- Makes ended creations due again, one after the other: orders are created before they are paid or closed, and whatever ended
-- first comes first. What is due already stays as it is.
--
-- $1 since when they ended, $2 flow, $3 order ids; each null where it does not matter. $4 how many a second.
with chosen as (
  select ctid as place, row_number() over (order by flow <> 'create-order', ended_at) as turn
  from ended_creation
  where ($1::timestamptz is null or ended_at >= $1)
    and ($2::text is null or flow = $2)
    and ($3::text[] is null or order_id = any($3))
    and due_at is null
)
update ended_creation
set due_at = now() + make_interval(secs => (turn - 1) / $4::float8),
    failures = 0,
    last_error = null
from chosen
where ended_creation.ctid = chosen.place
  and due_at is null
