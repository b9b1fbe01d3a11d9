-- Forgets idempotency keys past their retention, a batch at a time. $1 days, $2 rows at most.
delete from order_request
where (user_id, idempotency_key) in (
  select user_id, idempotency_key
  from order_request
  where created_at < now() - make_interval(days => $1)
  order by created_at
  limit $2
  for update skip locked
)
