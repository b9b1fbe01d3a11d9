-- Takes refunds that are due, by putting off when they are due next: no lock outlives this statement, and a replica that dies with
-- what it took only delays it. SKIP LOCKED: replicas take different rows.
--
-- The next time is as far away as the attempts are many (doubling), between a second and $2 seconds, jittered. $1 rows at most.
update refunds
set attempts = attempts + 1,
    due_at = now() + make_interval(secs => least($2::float8, 2 ^ least(attempts, 20)) * (1 + random() / 4))
where (payment_id, capture_id) in (
  select payment_id, capture_id
  from refunds
  where state = 'WAITING'
    and due_at <= now()
  order by due_at
  limit $1
  for update skip locked
)
returning payment_id, capture_id, amount_cents::float8 as amount_cents, reason
