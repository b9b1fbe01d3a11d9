-- One batch of unanswerable entries past their retention, oldest first. $1 days, $2 rows at most.
delete from ordertx_unanswerable
where digest in (
  select digest
  from ordertx_unanswerable
  where last_at < now() - make_interval(days => $1)
  order by last_at
  limit $2
  for update skip locked
)
