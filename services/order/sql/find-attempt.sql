-- A payment's attempt to pay this order. No row for an order that has none yet.
--
-- $1 order id, $2 payment id, $3 name of the payment's transaction.
select
  attempt.transaction,
  orders.payment_id is not distinct from $2 as applied,
  coalesce(fence.state, 'None') as state
from orders
cross join lateral (select split_part(orders.transaction, '/', 1) || '/' || $3::text as transaction) as attempt
left join ordertx_fence as fence on fence.transaction = attempt.transaction and fence.branch = 'order'
where orders.order_id = $1
