-- What came of an attempt. $1 notification id, $2 publication, $3 outcome, $4 reason of a failure.
with ended as (
  update attempts
  set outcome = $3,
      reason = $4
  where notification_id = $1
    and publication = $2
)
update notifications
set status = case $3 when 'sent' then 'SENT' else 'FAILED' end
where id = $1
  and status <> 'SENT'
