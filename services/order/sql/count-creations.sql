-- What the outbox holds, for the metrics. The age is that of the oldest creation still being sent.
select
  count(*) filter (where not refused and due_at < 'infinity')::integer as waiting,
  count(*) filter (where refused and due_at < 'infinity')::integer as refused,
  count(*) filter (where due_at = 'infinity')::integer as given_up,
  coalesce(extract(epoch from now() - min(created_at) filter (where due_at < 'infinity')), 0)::float8 as oldest_seconds
from creation
