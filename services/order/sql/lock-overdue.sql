-- Holds those of these orders whose time to pay is still over and that nobody closes yet. SKIP LOCKED: replicas take different orders,
-- and one that is just being paid is left.
--
-- $1 order ids.
select order_id
from orders
where order_id = any($1)
  and status = 'PENDING_PAYMENT'
  and closing is null
  and close_at <= now()
order by close_at
for update skip locked
