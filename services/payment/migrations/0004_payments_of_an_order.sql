-- An order's payments are asked for before it is closed.
create index payments_of_order on payments (order_id, created_at);
