-- Accepts a request to order: its key, its digest and the outbox row of its creation, all or nothing.
--
-- $1 user id, $2 idempotency key, $3 body digest, $4 order id, $5 transaction, $6 payload (JSON), $7 traceparent,
-- $8 the process that waits for the end, or null, $9 seconds until a relay may send it.
-- Gives no row when this user has used this key before.
with request as (
  insert into order_request (user_id, idempotency_key, body_digest, order_id)
  values ($1, $2, $3, $4)
  on conflict (user_id, idempotency_key) do nothing
  returning order_id
)
insert into creation (transaction, flow, order_id, payload, traceparent, awaited, awaited_by, due_at)
select $5, 'create-order', order_id, $6::jsonb, $7, $8::text is not null, $8, now() + make_interval(secs => $9)
from request
returning order_id
