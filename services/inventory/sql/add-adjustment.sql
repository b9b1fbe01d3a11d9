-- Stores that an adjustment is applied; its stock is changed in the same database transaction. Waits for one under the same key.
--
-- $1 SKU id, $2 idempotency key, $3 delta. Gives no row when the key was used for this SKU before.
insert into stock_adjustment (sku_id, idempotency_key, delta)
values ($1, $2, $3)
on conflict (sku_id, idempotency_key) do nothing
returning sku_id
