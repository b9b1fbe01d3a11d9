-- Whose refund counts.
--
-- P3  A payment is refunded only by the pay-order transaction of this payment in the namespace in which the order's transactions
--     lie, as the order service says. Null: not known yet, and asked for before a refund.

alter table payments add column namespace text;
