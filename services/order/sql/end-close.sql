-- The close under way was cancelled: another one may be made, in $3 seconds at the earliest; for an order that was withdrawn also at
-- the latest. Any other close, of whatever name, leaves the order as it is.
--
-- $1 order id, $2 transaction.
update orders
set closing = null,
    close_at = case
      when withdrawn then now() + make_interval(secs => $3)
      else greatest(close_at, now() + make_interval(secs => $3))
    end
where order_id = $1
  and closing = $2
  and status <> 'CLOSED'
