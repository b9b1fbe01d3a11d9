-- Moves sellable -> frozen for every line of an order, or moves nothing and says what is missing.
--
-- $1 order id, $2 transaction, $3 SKU ids, $4 their quantities (same order).
-- placed = false when another transaction has reserved for this order id, and then nothing was looked at; missing = [{skuId, wanted,
-- left}], empty when everything was frozen, which is done. If anything is missing, the reservation that was placed holds nothing, and
-- the caller has to undo it.
--
-- One statement, because the rows of a popular SKU stay locked until the commit. The reservation comes before the stock,
-- and stock rows are locked in the order of their ids, all of them before one is judged, so that orders that share SKUs
-- queue up and never deadlock.
with claimed as (select), wanted as (
  select sku_id, quantity
  from unnest($3::text[], $4::integer[]) as line (sku_id, quantity)
), placed as (
  -- Waits for whoever inserts or changes this order's reservation at the moment: stock that were locked by now, they
  -- might be waiting for.
  insert into reservation (order_id, transaction, state)
  select $1, $2, 'TRIED'
  from claimed
  on conflict (order_id) do nothing
  returning order_id
), locked as (
  select stock.*, wanted.quantity
  from placed
  cross join wanted
  join stock using (sku_id)
  order by stock.sku_id
  for update of stock
), missing as (
  select wanted.sku_id, wanted.quantity, coalesce(locked.sellable, 0) as sellable
  from placed
  cross join wanted
  left join locked using (sku_id)
  where coalesce(locked.sellable, 0) < wanted.quantity
), lines as (
  insert into reservation_line (order_id, sku_id, quantity)
  select placed.order_id, wanted.sku_id, wanted.quantity
  from placed
  cross join wanted
  where not exists (select from missing)
), moved as (
  -- Every figure from the locked row: the check constraints are put to what the statement saw at first, before Postgres looks again, and
  -- what was short then would be an error although it has come back.
  update stock
  set stocked = locked.stocked,
      sellable = locked.sellable - locked.quantity,
      frozen = locked.frozen + locked.quantity,
      sold = locked.sold
  from locked
  where stock.sku_id = locked.sku_id
    and not exists (select from missing)
), outcome as (
  select
    exists (select from placed) and not exists (select from missing) as done,
    exists (select from placed) as placed,
    coalesce(
      (
        select jsonb_agg(
          jsonb_build_object('skuId', sku_id, 'wanted', quantity, 'left', sellable)
          order by sku_id
        )
        from missing
      ),
      '[]'
    ) as missing
)
select * from outcome
