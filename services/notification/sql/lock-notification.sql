-- A notification as it is, and as it stays until the database transaction ends. $1 id.
select id, channel, recipient, text, status
from notifications
where id = $1
for update
