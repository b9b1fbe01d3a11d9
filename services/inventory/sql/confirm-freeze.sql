-- Makes an order's freeze final: from here on only its payment or its closing moves the stock.
--
-- $1 order id, $2 transaction. Done when there was such a freeze.
with claimed as (select), final as (
  update reservation
  set state = 'FROZEN',
      changed_at = now()
  from claimed
  where order_id = $1
    and transaction = $2
    and state = 'TRIED'
  returning order_id
), outcome as (
  select exists (select from final) as done
)
select * from outcome
