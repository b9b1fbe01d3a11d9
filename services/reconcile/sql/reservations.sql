-- What inventory has reserved for orders.
select
  order_id,
  extract(epoch from now() - changed_at)::float8 as age_seconds,
  state,
  marked_by as "markedBy",
  (
    select jsonb_object_agg(sku_id, quantity)
    from reservation_line
    where reservation_line.order_id = reservation.order_id
  ) as lines
from reservation
