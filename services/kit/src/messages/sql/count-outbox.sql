-- For the metrics. The age is that of the oldest message still being published.
select
  count(*) filter (where refused_reason is null)::integer as waiting,
  count(*) filter (where refused_reason is not null)::integer as refused,
  coalesce(extract(epoch from now() - min(created_at) filter (where refused_reason is null)), 0)::float8 as oldest_seconds
from ordertx_outbox
