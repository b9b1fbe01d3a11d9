-- Marks a frozen reservation that bears no other mark: no other transaction may end it, or mark it, until the mark is off.
--
-- $1 order id, $2 transaction. Gives one row when it is marked so.
update reservation
set marked_by = $2,
    changed_at = now()
where order_id = $1
  and state = 'FROZEN'
  and (marked_by is null or marked_by = $2)
returning order_id
