-- Whether the transaction was created from here, and so its creation is ended with the confirm. Where it is not in the outbox, it may be
-- put there while the confirm waits for the order, and only a later statement would see it. $2 transaction.
select
where exists (select from creation where transaction = $2)
