-- Their receipts have come. $1 ids.
delete from ordertx_outbox
where id = any($1)
