-- Ends a reservation: everything it holds moves frozen -> sold, or frozen -> sellable.
--
-- $1 order id, $2 transaction, $3 SOLD or RETURNED. While it is TRIED only its creation may end it; once it is FROZEN only the
-- transaction that has marked it.
-- Done when it has ended so and by this transaction, now or before; nothing is moved twice.
--
-- The reservation comes before the stock, and stock rows are locked in the order of their ids, as a freeze does.
with claimed as (select), ended as (
  update reservation
  set state = $3,
      marked_by = null,
      ended_by = $2,
      changed_at = now()
  from claimed
  where order_id = $1
    and (marked_by = $2 or (state = 'TRIED' and transaction = $2))
  returning order_id
), locked as (
  select stock.sku_id, reservation_line.quantity
  from ended
  join reservation_line using (order_id)
  join stock using (sku_id)
  order by stock.sku_id
  for update of stock
), moved as (
  update stock
  set frozen = stock.frozen - locked.quantity,
      sold = stock.sold + case $3 when 'SOLD' then locked.quantity else 0 end,
      sellable = stock.sellable + case $3 when 'RETURNED' then locked.quantity else 0 end
  from locked
  where stock.sku_id = locked.sku_id
), outcome as (
  select
    exists (select from ended)
    or exists (
      select
      from reservation
      where order_id = $1
        and state = $3
        and ended_by = $2
    ) as done
)
select * from outcome
