-- These orders are not closed for now. $1 order ids, $2 seconds until they are looked at again.
update orders
set look_again_at = now() + make_interval(secs => $2)
where order_id = any($1)
