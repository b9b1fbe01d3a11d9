-- What stands in the way of an attempt: an earlier one of the same publication, or one of another that is under way.
--
-- $1 notification id, $2 publication, $3 seconds after which an attempt without an outcome was cut off.
select publication, outcome, reason
from attempts
where notification_id = $1
  and (publication = $2 or (outcome is null and begun_at > now() - make_interval(secs => $3)))
