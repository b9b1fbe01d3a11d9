-- Whether an order can be taken, as things stand before anything is locked.
--
-- $1 order id, $2 transaction, $4 for a payment its cents, null for a close.
select
where exists (select from orders where order_id = $1 and status = 'PENDING_PAYMENT')
  and ($4::bigint is null or exists (select from creation where transaction = $2))
