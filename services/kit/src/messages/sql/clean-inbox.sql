-- One batch of inbox rows past their retention, oldest first. $1 days, $2 rows at most.
delete from ordertx_inbox
where id in (
  select id
  from ordertx_inbox
  where handled_at < now() - make_interval(days => $1)
  order by handled_at
  limit $2
  for update skip locked
)
