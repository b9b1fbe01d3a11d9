-- Whether an order may go on from where it is, as things stand before anything is locked.
--
-- $1 order id, $4 the namespace of its transactions, $5 the states it may come from.
select
where not exists (
  select from shipment
  where order_id = $1
    and not (state = any($5::text[]) and coalesce(namespace, $4) is not distinct from $4)
)
