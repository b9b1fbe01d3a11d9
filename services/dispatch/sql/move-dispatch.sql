-- An order's next state; its row is locked by the same database transaction. $1 order id, $2 state.
update dispatch
set state = $2,
    changed_at = now()
where order_id = $1
returning order_id
