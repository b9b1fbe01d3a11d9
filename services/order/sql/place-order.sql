-- try: the order's row, INIT since the moment it was accepted.
--
-- $1 order id, $2 transaction, $3 user id, $4 total in cents, $5 lines (JSON).
-- Not done when another transaction has placed this order id, or was accepted for it.
with claimed as (select), placed as (
  insert into orders (order_id, transaction, user_id, total_cents, lines, status, status_since)
  select
    $1, $2, $3, $4, $5::jsonb, 'INIT',
    coalesce((select created_at from creation where transaction = $2), now())
  from claimed
  where not exists (
    select from creation
    where order_id = $1
      and flow = 'create-order'
      and transaction <> $2
  )
  on conflict (order_id) do nothing
  returning order_id, status, status_since
), step as (
  insert into order_history (order_id, status, at)
  select order_id, status, status_since
  from placed
), outcome as (
  select exists (select from placed) as done
)
select * from outcome
