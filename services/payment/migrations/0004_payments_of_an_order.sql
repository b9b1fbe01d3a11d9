-- An order's payments are asked for before it is closed.
--
-- no transaction
create index concurrently payments_of_order on payments (order_id, created_at);
