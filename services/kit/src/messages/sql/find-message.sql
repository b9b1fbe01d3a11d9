-- Whether a message was handled before. $1 id.
select from ordertx_inbox
where id = $1
