-- The latest first. $1 namespace, $2 order, $3 rows.
select object::text as object
from ordertx_archive
where namespace = $1 and order_id = $2
order by finished_at desc, uid desc
limit $3
