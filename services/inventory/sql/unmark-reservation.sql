-- Takes a transaction's mark off a reservation, which stays frozen.
--
-- $1 order id, $2 transaction. Gives one row when there was such a mark.
update reservation
set marked_by = null,
    changed_at = now()
where order_id = $1
  and marked_by = $2
returning order_id
