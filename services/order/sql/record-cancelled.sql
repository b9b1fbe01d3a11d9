-- cancel without a try: the order was never placed, yet its customer must find it, and why it came to nothing.
--
-- $1 transaction, $2 order id, $3 payload (JSON), $4 reason. $3 is null when the cancel came with a payload nobody can
-- read. What was accepted, if anything was, counts more than what came with the cancel.
-- An order id that another transaction has placed, or was accepted for, stays as it is.
with known as (
  select payload, created_at
  from creation
  where transaction = $1
  union all
  select $3::jsonb, now()
  where $3::jsonb is not null
    and not exists (select from creation where order_id = $2 and flow = 'create-order')
), ended as (
  insert into orders (order_id, transaction, user_id, total_cents, lines, status)
  select $2, $1, payload ->> 'userId', (payload ->> 'totalCents')::bigint, payload -> 'lines', 'CANCELLED'
  from known
  on conflict (order_id) do nothing
  returning order_id, status, status_since
)
insert into order_history (order_id, status, at, reason)
select ended.order_id, step.status, step.at, step.reason
from ended
cross join known
cross join lateral (
  values
    (1, 'INIT', known.created_at, null),
    (2, ended.status, ended.status_since, $4)
) as step (position, status, at, reason)
order by step.position
