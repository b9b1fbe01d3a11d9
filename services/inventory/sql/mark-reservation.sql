-- Marks a frozen reservation that bears no other mark: no other transaction may end it, or mark it, until the mark is off.
--
-- $1 order id, $2 transaction, $3 its lines: quantities by SKU id (JSON). Done when it is marked so: the order's creation lies in the
-- transaction's namespace, and the reservation is of exactly these lines.
with claimed as (select), marked as (
  update reservation
  set marked_by = $2,
      changed_at = now()
  from claimed
  where order_id = $1
    and state = 'FROZEN'
    and (marked_by is null or marked_by = $2)
    and split_part(transaction, '/', 1) = split_part($2, '/', 1)
    and $3::jsonb = (
      select jsonb_object_agg(sku_id, quantity)
      from reservation_line
      where reservation_line.order_id = reservation.order_id
    )
  returning order_id
), outcome as (
  select exists (select from marked) as done
)
select * from outcome
