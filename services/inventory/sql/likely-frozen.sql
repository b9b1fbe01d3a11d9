-- Whether nothing is reserved for this order id and there is enough of everything, as things stand before anything is locked.
--
-- $1 order id, $3 SKU ids, $4 their quantities (same order).
select
where not exists (select from reservation where order_id = $1)
  and not exists (
    select
    from unnest($3::text[], $4::integer[]) as wanted (sku_id, quantity)
    left join stock using (sku_id)
    where coalesce(sellable, 0) < quantity
  )
