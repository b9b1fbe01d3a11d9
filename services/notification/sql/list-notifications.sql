-- An order's notifications, the oldest first. $1 order id, $2 rows at most.
select
  channel,
  recipient,
  text,
  status,
  (select count(*)::integer from attempts where notification_id = notifications.id) as attempts
from notifications
where order_id = $1
order by created_at, id
limit $2
