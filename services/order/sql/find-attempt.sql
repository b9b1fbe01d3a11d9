-- A payment's attempt to pay this order. No row where neither the order nor a namespace is known.
--
-- $1 order id, $2 payment id, $3 name of the payment's transaction, $4 namespace of it where the order is not known, or null.
select
  attempt.transaction,
  orders.order_id is not null and orders.payment_id is not distinct from $2 as applied,
  coalesce(fence.state, 'None') as state
from (values ($1::text)) as asked (order_id)
left join orders on orders.order_id = asked.order_id
cross join lateral (
  select coalesce(split_part(orders.transaction, '/', 1), $4::text) || '/' || $3::text as transaction
) as attempt
left join ordertx_fence as fence on fence.transaction = attempt.transaction and fence.branch = 'order'
where attempt.transaction is not null
