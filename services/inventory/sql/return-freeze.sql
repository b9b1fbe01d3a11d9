-- Returns what a cancelled creation froze: frozen -> sellable, rows locked in the order of their ids as a try does.
--
-- $1 order id, $2 transaction. Gives returned = true when there was such a freeze.
with returned as (
  update reservation
  set state = 'RETURNED',
      changed_at = now()
  where order_id = $1
    and transaction = $2
    and state = 'TRIED'
  returning order_id
), locked as (
  select stock.sku_id, reservation_line.quantity
  from returned
  join reservation_line using (order_id)
  join stock using (sku_id)
  order by stock.sku_id
  for update of stock
), moved as (
  update stock
  set sellable = stock.sellable + locked.quantity,
      frozen = stock.frozen - locked.quantity
  from locked
  where stock.sku_id = locked.sku_id
)
select exists (select from returned) as returned
