-- Takes messages that are due, by putting off when they are due next: no lock outlives this statement, and a replica that
-- dies with what it took only delays it. SKIP LOCKED: replicas take different rows.
--
-- The pauses double from one publication to the next, up to $2 seconds, half of each at random. $1 rows at most.
update ordertx_outbox
set attempts = attempts + 1,
    due_at = now() + make_interval(secs => least($2, power(2, least(attempts, 20))) * (0.5 + random() / 2))
where id in (
  select id
  from ordertx_outbox
  where due_at <= now()
    and refused_reason is null
  order by due_at
  limit $1
  for update skip locked
)
returning id, stream, type, subject, data, traceparent, created_at, attempts
