-- Every capture is kept, and every one that is not applied goes back to the provider.
--
-- P4  A capture has the provider's id; one that comes without an id is the payment's unnamed one (''). The first one captures the
--     payment. Any further one, of any amount, is money nobody asked for: its refund is written with it.
-- P5  A refund is an order to the provider: WAITING until the provider has taken it, and repeated until then. The payment is
--     REFUNDING until its own capture's refund is TAKEN, then REFUNDED.
--
-- What an older version of the service writes stays right: its refunds are of the unnamed capture and taken at once.

create table captures (
  payment_id text not null references payments,
  capture_id text not null,
  amount_cents bigint not null check (amount_cents >= 0),
  captured_at timestamptz not null default now(),
  primary key (payment_id, capture_id)
);

insert into captures (payment_id, capture_id, amount_cents, captured_at)
select payment_id, '', captured_cents, captured_at
from payments
where captured_cents is not null;

alter table payments
  add column capture_id text, -- the capture that has captured it; null: the unnamed one, or none yet
  drop constraint payments_status_check,
  add constraint payments_status_check check (status in ('PENDING', 'SUCCEEDED', 'REFUNDING', 'REFUNDED')) not valid;
alter table payments validate constraint payments_status_check;

alter table refunds
  add column capture_id text not null default '',
  add column state text not null default 'TAKEN' check (state in ('WAITING', 'TAKEN')),
  add column attempts integer not null default 0,
  add column due_at timestamptz not null default now(), -- when a WAITING one is sent (again)
  add column taken_at timestamptz,
  add column last_error text,
  drop constraint refunds_pkey,
  add primary key (payment_id, capture_id);

create index refunds_to_send on refunds (due_at) where state = 'WAITING';
