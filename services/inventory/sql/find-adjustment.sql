-- What was applied before under this key. $1 SKU id, $2 idempotency key.
select delta
from stock_adjustment
where sku_id = $1
  and idempotency_key = $2
