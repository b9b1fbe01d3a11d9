-- Accepts a request to order: its key, its digest and the outbox row of its creation, all or nothing.
--
-- $1 user id, $2 idempotency key, $3 body digest, $4 order id, $5 transaction, $6 total in cents, $7 lines (JSON),
-- $8 traceparent, $9 awaited, $10 seconds until a relay may send it.
-- Gives no row when this user has used this key before.
with request as (
  insert into order_request (user_id, idempotency_key, body_digest, order_id)
  values ($1, $2, $3, $4)
  on conflict (user_id, idempotency_key) do nothing
  returning order_id
)
insert into order_creation (order_id, transaction, user_id, total_cents, lines, traceparent, awaited, due_at)
select order_id, $5, $1, $6, $7::jsonb, $8, $9, now() + make_interval(secs => $10)
from request
returning order_id
