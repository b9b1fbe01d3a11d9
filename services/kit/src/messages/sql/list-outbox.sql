-- What has no receipt yet, the refused first, then the oldest. $1 rows at most.
select id, stream, type, subject, attempts, refused_reason, extract(epoch from now() - created_at)::float8 as age_seconds
from ordertx_outbox
order by refused_reason is null, created_at
limit $1
