-- A payment that is asked for. Gives no row where its key has asked for one before.
--
-- $1 payment id, $2 order id, $3 amount in cents, $4 namespace of the order's transactions, $5 idempotency key or null.
insert into payments (payment_id, order_id, amount_cents, namespace, idempotency_key)
values ($1, $2, $3, $4, $5)
on conflict (idempotency_key) where idempotency_key is not null do nothing
returning payment_id
