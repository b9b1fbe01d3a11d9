-- Removes what a creation has reserved for an order and its own cancel has returned, so that another creation may reserve for it.
--
-- $1 order id, whose reservation this database transaction has locked.
with lines as (
  delete from reservation_line
  where order_id = $1
)
delete from reservation
where order_id = $1
