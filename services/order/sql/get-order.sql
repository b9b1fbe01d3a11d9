-- An order as its readers see it: its own row, or before the try what was accepted.
--
-- $1 order id.
select
  orders.order_id,
  orders.transaction,
  orders.user_id,
  orders.status,
  orders.total_cents::float8 as total_cents,
  orders.lines,
  (
    select json_agg(json_build_object('status', status, 'at', at, 'reason', reason) order by step)
    from order_history
    where order_history.order_id = orders.order_id
  ) as history
from orders
where orders.order_id = $1
union all
select
  order_id,
  transaction,
  payload ->> 'userId',
  'INIT',
  (payload ->> 'totalCents')::float8,
  payload -> 'lines',
  json_build_array(json_build_object('status', 'INIT', 'at', created_at, 'reason', null))
from creation
where order_id = $1
  and flow = 'create-order'
  and not exists (select from orders where orders.order_id = $1)
