-- The first that is heard of an order. Waits for whoever opens it at the same moment; gives no row where it is open already.
--
-- $1 order id, $2 state, $3 the namespace of its transactions.
insert into dispatch (order_id, state, namespace)
values ($1, $2, $3)
on conflict (order_id) do nothing
returning order_id
