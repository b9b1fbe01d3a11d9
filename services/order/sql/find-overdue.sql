-- Orders whose time to pay is over, the longest overdue first, and nobody holds them for this: to ask others about them.
--
-- $1 orders at most.
select
  order_id,
  transaction,
  withdrawn,
  closes,
  extract(epoch from now() - close_at)::float8 as overdue_seconds
from orders
where status = 'PENDING_PAYMENT'
  and closing is null
  and close_at <= now()
  and (look_again_at is null or look_again_at <= now())
order by close_at
limit $1
