-- What the provider has not taken yet.
--
-- no transaction
create index concurrently refunds_to_send on refunds (due_at) where state = 'WAITING';
