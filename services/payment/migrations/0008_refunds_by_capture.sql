-- A payment has a refund for each of its captures: to become the primary key.
--
-- no transaction
create unique index concurrently refunds_by_capture on refunds (payment_id, capture_id);
