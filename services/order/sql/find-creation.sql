-- A creation that has not ended, and what the fence says of its branch here. $1 transaction.
select
  wanted.transaction,
  creation.flow,
  creation.payload,
  coalesce(creation.due_at = 'infinity', false) as given_up,
  coalesce(fence.state, 'None') as state
from (select $1::text as transaction) as wanted
left join creation using (transaction)
left join ordertx_fence as fence on fence.transaction = wanted.transaction and fence.branch = 'order'
