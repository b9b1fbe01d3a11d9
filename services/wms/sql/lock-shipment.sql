-- Holds an order's row until the database transaction ends, and shows what is decided by. $1 order id.
select state, namespace
from shipment
where order_id = $1
for update
