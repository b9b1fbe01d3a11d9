-- Locks an order's reservation and shows it; its lines never change. Gives no row when nothing is reserved for the order.
--
-- $1 order id.
select
  transaction,
  state,
  marked_by,
  ended_by,
  (
    select jsonb_object_agg(sku_id, quantity)
    from reservation_line
    where reservation_line.order_id = reservation.order_id
  ) as held
from reservation
where order_id = $1
for no key update of reservation
