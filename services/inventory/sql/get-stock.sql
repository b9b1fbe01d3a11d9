-- $1 SKU id.
select sku_id, stocked, sellable, frozen, sold
from stock
where sku_id = $1
