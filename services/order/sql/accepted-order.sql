-- An order that is accepted and whose own row is not there yet, with the columns of lock-order.sql. $1 order id.
select
  order_id,
  transaction,
  'INIT' as status,
  payload ->> 'userId' as user_id,
  (payload ->> 'totalCents')::float8 as total_cents,
  null as held_by,
  null as payment_id,
  0 as closes,
  null as closing
from creation
where order_id = $1
  and flow = 'create-order'
