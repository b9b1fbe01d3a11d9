-- Asks the end of an order's creation to be notified, wherever it comes to. Touches no row when it has ended already: read the order
-- then.
--
-- $1 order id.
update creation
set awaited = true,
    awaited_by = null
where order_id = $1
  and flow = 'create-order'
  and (not awaited or awaited_by is not null)
