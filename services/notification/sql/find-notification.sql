-- A notification as it was written first, and what came of an attempt if it was made. $1 id, $2 the attempt's publication.
select
  channel,
  recipient,
  text,
  status,
  attempts.publication is not null as attempted,
  outcome,
  reason
from notifications
left join attempts on attempts.notification_id = notifications.id and attempts.publication = $2
where notifications.id = $1
