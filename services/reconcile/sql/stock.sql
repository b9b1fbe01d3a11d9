-- Inventory's stock, by SKU.
select sku_id, stocked, sellable, frozen, sold
from stock
