-- A close was cancelled: its number is used up, and if it was the one under way another one may be made, in $3 seconds at the
-- earliest; for an order that was withdrawn also at the latest.
--
-- $1 order id, $2 transaction, $4 its number; 0 where its name has none.
update orders
set closes = greatest(closes, $4),
    closing = nullif(closing, $2),
    close_at = case
      when closing is distinct from $2 then close_at
      when withdrawn then now() + make_interval(secs => $3)
      else greatest(close_at, now() + make_interval(secs => $3))
    end
where order_id = $1
  and status <> 'CLOSED'
