-- Makes an order's freeze final: from here on only its payment or its closing moves the stock.
--
-- $1 order id, $2 transaction. Gives one row when there was such a freeze.
update reservation
set state = 'FROZEN',
    changed_at = now()
where order_id = $1
  and transaction = $2
  and state = 'TRIED'
returning order_id
