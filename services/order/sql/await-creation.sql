-- Asks the end of an order's creation to be notified. Touches no row when it has ended already: read the order then.
--
-- $1 order id.
update creation
set awaited = true
where order_id = $1
  and flow = 'create-order'
  and not awaited
