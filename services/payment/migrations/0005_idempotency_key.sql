-- Requests for a payment that a client repeats.
--
-- P6  A key asks for one payment, however often it comes. Without a key an order's payment that is still PENDING is answered again.

alter table payments add column idempotency_key text;

create unique index payments_by_key on payments (idempotency_key) where idempotency_key is not null;
