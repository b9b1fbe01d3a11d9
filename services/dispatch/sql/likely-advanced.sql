-- Whether an order may go on from where it is, as things stand before anything is locked.
--
-- $1 order id, $3 the namespace of its transactions, $4 the states it may come from.
select
where not exists (
  select from dispatch
  where order_id = $1
    and not (state = any($4::text[]) and coalesce(namespace, $3) is not distinct from $3)
)
