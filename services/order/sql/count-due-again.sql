-- Ended creations that somebody has asked for and that are not made again yet, for the metrics.
select
  count(*)::integer as due,
  count(*) filter (where failures > 0)::integer as failing
from ended_creation
where due_at is not null
