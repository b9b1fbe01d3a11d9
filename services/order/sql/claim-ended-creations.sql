-- Takes ended creations that are to be made again, by putting them off: a replica that dies with what it took only delays it.
-- SKIP LOCKED: replicas take different rows.
--
-- $1 rows at most, $2 seconds until they are due again if nothing else is heard of them.
update ended_creation
set due_at = now() + make_interval(secs => $2)
where ctid in (
  select ctid
  from ended_creation
  where due_at <= now()
  order by due_at
  limit $1
  for update skip locked
)
returning
  transaction,
  flow,
  payload,
  traceparent,
  failures
