-- Messages that a service has started and that have no receipt.
select
  id,
  extract(epoch from now() - created_at)::float8 as age_seconds,
  refused_reason as "refusedReason"
from ordertx_outbox
order by created_at
