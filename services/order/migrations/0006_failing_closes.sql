-- Orders whose closes come to nothing again and again: counted for the metrics at every scrape.
--
-- no transaction
create index concurrently orders_hard_to_close on orders (order_id) where status = 'PENDING_PAYMENT' and closes >= 3;
