-- Its consumer refused it: it waits for a person. $1 id, $2 reason.
update ordertx_outbox
set refused_reason = $2
where id = $1
returning type, subject
