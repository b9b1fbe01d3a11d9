-- One batch, oldest first. Several replicas may clean at once: each skips what another is at.
delete from ordertx_fence
where (transaction, branch) in (
  select transaction, branch
  from ordertx_fence
  where state in ('Confirmed', 'Cancelled')
    and changed_at < now() - make_interval(days => $1)
  order by changed_at
  limit $2
  for update skip locked
)
and state in ('Confirmed', 'Cancelled');
