-- What was accepted before under this user's key.
--
-- $1 user id, $2 idempotency key.
select body_digest, order_id
from order_request
where user_id = $1
  and idempotency_key = $2
