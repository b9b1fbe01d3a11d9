-- What the warehouse has heard of orders.
select
  order_id,
  extract(epoch from now() - changed_at)::float8 as age_seconds,
  state
from shipment
