-- A key asks for one payment (P6).
--
-- no transaction
create unique index concurrently payments_by_key on payments (idempotency_key) where idempotency_key is not null;
