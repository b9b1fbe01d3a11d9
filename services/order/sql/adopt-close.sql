-- A close that this service has not begun itself takes the order: it is the one under way from now on, and its number is taken.
-- The row is locked by the same database transaction, and no close of it is under way.
--
-- $1 order id, $2 transaction, $3 its number; 0 where its name has none.
update orders
set closing = $2,
    closes = greatest(closes, $3)
where order_id = $1
