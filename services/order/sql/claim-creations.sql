-- Takes creations that are due, by putting off when they are due next: no lock outlives this statement, and a replica
-- that dies with what it took only delays it. SKIP LOCKED: replicas take different rows.
--
-- The next repeat is as far away as the creation is old (so intervals double), jittered, at least $2 seconds and at most $3.
-- One older than $4 seconds is not sent any more, but kept: expired = true, given out once.
-- $1 rows at most.
update creation
set due_at = case
      when created_at < now() - make_interval(secs => $4) then 'infinity'
      else now() + least(
        greatest(now() - created_at, make_interval(secs => $2)) * (1 + random() / 4),
        make_interval(secs => $3)
      )
    end
where transaction in (
  select transaction
  from creation
  where due_at <= now()
  -- What a customer has paid for or withdrawn goes before new orders, of which there may be very many.
  order by flow = 'create-order', due_at
  limit $1
  for update skip locked
)
returning
  transaction,
  flow,
  payload,
  traceparent,
  failures,
  due_at = 'infinity' as expired
