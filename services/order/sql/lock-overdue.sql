-- Holds orders whose time to pay is over, the longest overdue first. SKIP LOCKED: replicas take different orders, and one that is
-- just being paid is left.
--
-- $1 orders at most.
select order_id
from orders
where status = 'PENDING_PAYMENT'
  and closing is null
  and close_at <= now()
order by close_at
limit $1
for update skip locked
