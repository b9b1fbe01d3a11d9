-- Adds to, or takes from, what can be sold of a SKU.
--
-- $1 SKU id, $2 delta, $3 the most there may be. Gives no row when there is no such SKU, when less than that can be sold, or
-- when it would be too many.
update stock
set stocked = stocked + $2,
    sellable = sellable + $2
where sku_id = $1
  and sellable + $2 >= 0
  and stocked + $2 <= $3
returning sku_id, stocked, sellable, frozen, sold
