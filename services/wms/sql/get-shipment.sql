-- $1 order id.
select state
from shipment
where order_id = $1
