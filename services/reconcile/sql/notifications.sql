-- Notices to customers, and how their attempts ended.
select
  order_id,
  extract(epoch from now() - created_at)::float8 as age_seconds,
  id,
  (select array_agg(outcome) from attempts where notification_id = notifications.id) as outcomes
from notifications
where exists (select from attempts where notification_id = notifications.id)
