-- Payments and their refunds.
--
-- P1  A payment is captured once. What was captured is written in the database transaction that also puts
--     payment.succeeded into the outbox: money that came in is told of, and money that did not is not.
-- P2  A payment is refunded once, and only what was captured: its refund row is written in the database transaction that
--     makes it REFUNDED.

create table payments (
  payment_id text primary key,
  order_id text not null, -- an order may have several
  amount_cents bigint not null check (amount_cents >= 0), -- asked: what the order costs
  captured_cents bigint check (captured_cents >= 0), -- what the provider says it took; null until then
  status text not null default 'PENDING' check (status in ('PENDING', 'SUCCEEDED', 'REFUNDED')),
  created_at timestamptz not null default now(),
  captured_at timestamptz,
  constraint captured_unless_pending check (
    (captured_cents is not null) = (status <> 'PENDING')
    and (captured_at is not null) = (status <> 'PENDING')
  )
) with (fillfactor = 80);

-- What a provider would be told.
create table refunds (
  payment_id text primary key references payments,
  amount_cents bigint not null check (amount_cents >= 0),
  reason text not null,
  at timestamptz not null default now()
);
