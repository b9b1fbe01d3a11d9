-- Whether nobody else has this order id. $1 order id, $2 transaction.
select
where not exists (select from orders where order_id = $1)
  and not exists (
    select from creation
    where order_id = $1
      and flow = 'create-order'
      and transaction <> $2
  )
