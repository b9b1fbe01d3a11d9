-- An order's next state, as it usually comes: the first that is heard of it, or from where it may go on. Its lines stay as first heard.
--
-- $1 order id, $2 state, $3 lines (JSON), $4 the namespace of its transactions, $5 the states it may come from.
with claimed as (select), advanced as (
  insert into shipment (order_id, state, lines, namespace)
  select $1, $2, $3::jsonb, $4
  from claimed
  on conflict (order_id) do update
  set state = excluded.state,
      namespace = excluded.namespace,
      changed_at = now()
  where shipment.state = any($5::text[])
    and coalesce(shipment.namespace, excluded.namespace) is not distinct from excluded.namespace
  returning order_id
), outcome as (
  select exists (select from advanced) as done
)
select * from outcome
