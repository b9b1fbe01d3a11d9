-- The latest first: a name may have been used again. $1 namespace, $2 name, $3 rows.
select object::text as object
from ordertx_archive
where namespace = $1 and name = $2
order by finished_at desc, uid desc
limit $3
