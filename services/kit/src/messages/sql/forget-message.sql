-- The message counts as never handled from now on. $1 id.
delete from ordertx_inbox
where id = $1
