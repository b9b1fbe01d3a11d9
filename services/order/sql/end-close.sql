-- The close under way was cancelled: another one may be made, in $3 seconds at the earliest, twice as many with each close that came
-- to nothing, and $4 at most; for an order that was withdrawn also at the latest. Any other close, of whatever name, leaves the order
-- as it is.
--
-- $1 order id, $2 transaction.
update orders
set closing = null,
    close_at = case
      when withdrawn then now() + pause
      else greatest(close_at, now() + pause)
    end
from (
  select make_interval(secs => least($3::float8 * 2 ^ least(greatest(closes, 1) - 1, 20), $4::float8)) as pause
  from orders
  where order_id = $1
) as next
where order_id = $1
  and closing = $2
  and status <> 'CLOSED'
