-- Requests for a payment that a client repeats, and by which capture a payment was captured.
--
-- P6  A key asks for one payment, however often it comes. Without a key an order's payment that is still PENDING is answered again.

alter table payments
  add column idempotency_key text,
  add column capture_id text, -- the capture that has captured it; null: the unnamed one, or none yet
  drop constraint payments_status_check,
  add constraint payments_status_check check (status in ('PENDING', 'SUCCEEDED', 'REFUNDING', 'REFUNDED')) not valid;
