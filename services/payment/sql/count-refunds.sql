-- What waits for the provider, for the metrics, and how many captures nobody had asked for.
select
  count(*) filter (where state = 'WAITING')::integer as waiting,
  count(*) filter (where state = 'WAITING' and last_error is not null)::integer as failing,
  coalesce(extract(epoch from now() - min(at) filter (where state = 'WAITING')), 0)::float8 as oldest_seconds
from refunds
