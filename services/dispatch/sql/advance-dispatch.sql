-- An order's next state, as it usually comes: the first that is heard of it, or from where it may go on.
--
-- $1 order id, $2 state, $3 the namespace of its transactions, $4 the states it may come from.
with claimed as (select), advanced as (
  insert into dispatch (order_id, state, namespace)
  select $1, $2, $3
  from claimed
  on conflict (order_id) do update
  set state = excluded.state,
      namespace = excluded.namespace,
      changed_at = now()
  where dispatch.state = any($4::text[])
    and coalesce(dispatch.namespace, excluded.namespace) is not distinct from excluded.namespace
  returning order_id
), outcome as (
  select exists (select from advanced) as done
)
select * from outcome
