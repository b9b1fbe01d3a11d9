-- cancel without a try: the order was never placed, yet its customer must find it, and why it came to nothing.
--
-- $1 transaction, $2 order id, $3 user id, $4 total in cents, $5 lines (JSON), $6 reason. $3 to $5 are null when the cancel
-- came with a payload nobody can read. What was accepted, if anything was, counts more than what came with the cancel.
-- An order id that another transaction has placed stays as it is.
with settled as (
  delete from order_creation
  where order_id = $2
    and transaction = $1
  returning order_id, user_id, total_cents, lines, awaited, created_at
), known as (
  select order_id, user_id, total_cents, lines, created_at
  from settled
  union all
  select $2::text, $3::text, $4::bigint, $5::jsonb, now()
  where $3::text is not null
    and not exists (select from settled)
), ended as (
  insert into orders (order_id, transaction, user_id, total_cents, lines, status)
  select order_id, $1, user_id, total_cents, lines, 'CANCELLED'
  from known
  on conflict (order_id) do nothing
  returning order_id, status, status_since
), noted as (
  insert into order_history (order_id, status, at, reason)
  select ended.order_id, step.status, step.at, step.reason
  from ended
  join known using (order_id)
  cross join lateral (
    values
      (1, 'INIT', known.created_at, null),
      (2, ended.status, ended.status_since, $6)
  ) as step (position, status, at, reason)
  order by step.position
)
select pg_notify('order_creation_ended', order_id) as told
from settled
where awaited
