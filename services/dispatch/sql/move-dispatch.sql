-- An order's next state; its row is locked by the same database transaction. $1 order id, $2 state, $3 the namespace
-- of its transactions, where that is known; one that is kept already stays.
update dispatch
set state = $2,
    namespace = coalesce(namespace, $3),
    changed_at = now()
where order_id = $1
returning order_id
