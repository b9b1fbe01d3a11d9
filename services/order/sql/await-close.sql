-- The customer withdraws an order that is being closed already: further closes say so, and this one's end is notified.
--
-- $1 order id, $2 transaction of the close.
with wished as (
  update orders
  set withdrawn = true
  where order_id = $1
)
update creation
set awaited = true
where transaction = $2
