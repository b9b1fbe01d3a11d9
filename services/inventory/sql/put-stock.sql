-- Sets how many units of a SKU there are; the difference is taken from, or added to, what can be sold.
--
-- $1 SKU id, $2 stocked. Gives no row when more than $2 are frozen or sold.
insert into stock (sku_id, stocked, sellable)
values ($1, $2, $2)
on conflict (sku_id) do update
set stocked = excluded.stocked,
    sellable = excluded.stocked - stock.frozen - stock.sold
where stock.frozen + stock.sold <= excluded.stocked
returning sku_id, stocked, sellable, frozen, sold
