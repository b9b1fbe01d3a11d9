-- Grants an order's points. Waits for whoever grants them at the same moment; gives no row where they are granted already.
--
-- $1 order id, $2 payment id, $3 user id, $4 points, $5 growth, $6 the namespace of its transaction.
insert into point_grant (order_id, payment_id, user_id, points, growth, namespace)
values ($1, $2, $3, $4, $5, $6)
on conflict (order_id) do nothing
returning order_id
