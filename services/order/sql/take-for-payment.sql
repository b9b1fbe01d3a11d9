-- An order that waits for its payment is PAYING from now on; its row is locked by the same database transaction. No row where neither
-- this service has the payment's creation in its outbox, of this amount, nor somebody vouches for it.
--
-- $1 order id, $2 the payment's transaction, $3 amount in cents, $4 whether the payment service vouches for it.
with taken as (
  update orders
  set status = 'PAYING',
      status_since = now(),
      held_by = $2
  where order_id = $1
    and (
      $4
      or exists (
        select from creation
        where transaction = $2
          and order_id = $1
          and (payload ->> 'amountCents')::bigint = $3
      )
    )
  returning order_id, status
)
insert into order_history (order_id, status)
select order_id, status
from taken
returning order_id
