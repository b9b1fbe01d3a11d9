-- One page, the latest first. $1 namespace, $2 flow, $3 outcome, $4 not before, $5 before, $6 and $7 where the page before ended, $8 rows.
-- What is null is planned away: a statement without a name is planned for its values.
select uid, finished_at, object::text as object
from ordertx_archive
where namespace = $1
  and ($2::text is null or flow = $2)
  and ($3::text is null or outcome = $3)
  and ($4::timestamptz is null or finished_at >= $4)
  and ($5::timestamptz is null or finished_at < $5)
  and ($6::timestamptz is null or (finished_at, uid) < ($6, $7::text))
order by finished_at desc, uid desc
limit $8
