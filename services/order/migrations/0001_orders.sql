-- Orders, the idempotency keys they were placed with, and the outbox their creation transactions come from.
--
-- O1  An accepted request is one order_request and one order_creation row, written in one database transaction (one
--     statement). From then on the order exists for its readers, as INIT, though its own row comes with the try.
-- O2  An order's row belongs to the transaction that placed it: another transaction with the same order id can neither
--     confirm nor cancel it.
-- O3  The order_creation row is removed in the database transaction that ends the order's branch. What has ended is
--     therefore never created again.
-- O4  An order that exists has its whole history, INIT first.

create table orders (
  order_id text primary key,
  transaction text not null, -- <namespace>/<name> of the create-order transaction
  user_id text not null,
  total_cents bigint not null check (total_cents >= 0),
  lines jsonb not null, -- [{skuId, quantity, unitPriceCents}] as ordered; never changed
  status text not null check (
    status in ('INIT', 'PENDING_PAYMENT', 'PAYING', 'CLOSING', 'PAID', 'SHIPPED', 'RECEIVED', 'CANCELLED', 'CLOSED')
  ),
  status_since timestamptz not null default now()
) with (fillfactor = 80);

create table order_history (
  order_id text not null references orders,
  step bigint generated always as identity,
  status text not null,
  at timestamptz not null default now(),
  reason text,
  primary key (order_id, step)
);

create table order_request (
  user_id text not null,
  idempotency_key text not null,
  body_digest text not null,
  order_id text not null,
  created_at timestamptz not null default now(),
  primary key (user_id, idempotency_key)
);

create index order_request_by_age on order_request (created_at);

create table order_creation (
  order_id text primary key,
  transaction text not null, -- <namespace>/<name>
  user_id text not null,
  total_cents bigint not null,
  lines jsonb not null,
  traceparent text not null,
  awaited boolean not null, -- somebody waits for the end: only then is it worth a NOTIFY, which commits take turns for
  created_at timestamptz not null default now(),
  due_at timestamptz not null, -- when a relay may send it (again); 'infinity' once it is given up
  failures integer not null default 0, -- in a row, since the last answer that settled the creation
  refused boolean not null default false, -- by the API server's rules: repeating it unchanged will hardly help
  last_error text
) with (fillfactor = 70);

create index order_creation_by_due on order_creation (due_at);
