-- Every capture is kept, and every one that is not applied goes back to the provider.
--
-- P4  A capture has the provider's id; one that comes without an id is the payment's unnamed one (''). The first one captures the
--     payment. Any further one, of any amount, is money nobody asked for: its refund is written with it.
-- P5  A refund is an order to the provider: WAITING until the provider has taken it, and repeated until then. The payment is
--     REFUNDING until its own capture's refund is TAKEN, then REFUNDED.
--
-- What an older version of the service writes stays right: its refunds are of the unnamed capture and taken at once, and what it
-- captures stands in the payment's own row, where it is read. 0005 to 0013 do the rest, each as one short lock or none.

create table captures (
  payment_id text not null, -- of a payment, as 0012 says: filling the table must not lock payments
  capture_id text not null,
  amount_cents bigint not null check (amount_cents >= 0),
  captured_at timestamptz not null default now(),
  primary key (payment_id, capture_id)
);

alter table refunds
  add column capture_id text not null default '',
  add column state text not null default 'TAKEN',
  add column attempts integer not null default 0,
  add column due_at timestamptz not null default now(), -- when a WAITING one is sent (again)
  add column taken_at timestamptz,
  add column last_error text,
  add constraint refunds_state_check check (state in ('WAITING', 'TAKEN')) not valid;
