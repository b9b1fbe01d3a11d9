-- Forgets adjustments' keys past their retention, a batch at a time. $1 days, $2 rows at most.
delete from stock_adjustment
where (sku_id, idempotency_key) in (
  select sku_id, idempotency_key
  from stock_adjustment
  where created_at < now() - make_interval(days => $1)
  order by created_at
  limit $2
  for update skip locked
)
