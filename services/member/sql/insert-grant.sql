-- Grants an order's points. Waits for whoever grants them at the same moment; not done where they are granted already.
--
-- $1 order id, $2 payment id, $3 user id, $4 points, $5 growth, $6 the namespace of its transaction.
with claimed as (select), granted as (
  insert into point_grant (order_id, payment_id, user_id, points, growth, namespace)
  select $1, $2, $3, $4, $5, $6
  from claimed
  on conflict (order_id) do nothing
  returning order_id
), outcome as (
  select exists (select from granted) as done
)
select * from outcome
