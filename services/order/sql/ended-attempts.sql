-- Those of these transactions whose branch has ended here. $1 transactions.
select transaction
from ordertx_fence
where transaction = any($1)
  and branch = 'order'
  and state in ('Confirmed', 'Cancelled')
