-- Orders whose closes have come to nothing three times and more.
select count(*)::integer as orders
from orders
where status = 'PENDING_PAYMENT'
  and closes >= 3
