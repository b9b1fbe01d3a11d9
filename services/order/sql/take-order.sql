-- try of a payment or a close, as it usually comes: the order is taken from PENDING_PAYMENT, as held-order.ts judges.
--
-- $1 order id, $2 transaction, in the namespace of the order's creation, $3 status, $4 for a payment its cents, which must be what the
-- order costs, and what its creation in the outbox says; null for a close, which must be the one that was begun, $5 reason, $6 for
-- a payment its user, whose the order must be.
with claimed as (select), taken as (
  update orders
  set status = $3,
      status_since = now(),
      held_by = $2
  from claimed
  where order_id = $1
    and status = 'PENDING_PAYMENT'
    and split_part(transaction, '/', 1) = split_part($2, '/', 1)
    and case
      when $4::bigint is null then closing = $2
      else total_cents = $4
        and user_id = $6
        and exists (
          select from creation
          where creation.transaction = $2
            and creation.order_id = $1
            and (payload ->> 'amountCents')::bigint = $4
        )
    end
  returning order_id, status
), step as (
  insert into order_history (order_id, status, reason)
  select order_id, status, $5
  from taken
), outcome as (
  select exists (select from taken) as done
)
select * from outcome
