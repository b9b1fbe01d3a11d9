-- Where an order stands and why. Gives no row before the order's branch has begun: INIT.
--
-- $1 order id.
select
  status,
  (
    select reason
    from order_history
    where order_history.order_id = orders.order_id
    order by step desc
    limit 1
  ) as reason
from orders
where order_id = $1
