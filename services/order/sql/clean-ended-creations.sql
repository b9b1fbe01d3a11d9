-- Forgets ended creations past their retention, a batch at a time. $1 days, $2 rows at most.
delete from ended_creation
where ctid in (
  select ctid
  from ended_creation
  where ended_at < now() - make_interval(days => $1)
  order by ended_at
  limit $2
  for update skip locked
)
