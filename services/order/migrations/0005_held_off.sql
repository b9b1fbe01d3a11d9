-- A close is held off while the order is about to be paid.
--
-- O10 An order whose time to pay is over is closed only after the payment service was asked. One that waits for an open payment, or for
--     the payment service, is looked at again then; how long that goes on is bounded by its grace, counted from close_at.

alter table orders add column look_again_at timestamptz; -- null: as soon as its time to pay is over
