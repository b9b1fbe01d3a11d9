-- The first that is heard of an order. Waits for whoever opens it at the same moment; gives no row where it is open already.
--
-- $1 order id, $2 state, $3 lines (JSON), $4 the namespace of its transactions.
insert into shipment (order_id, state, lines, namespace)
values ($1, $2, $3::jsonb, $4)
on conflict (order_id) do nothing
returning order_id
