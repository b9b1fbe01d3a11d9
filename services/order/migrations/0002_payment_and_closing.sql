-- Orders are paid, closed, shipped and received; the creation outbox holds transactions of every flow.
--
-- O5  An order is held by one transaction at a time, and only while it is PAYING or CLOSING. Who holds it or has won is
--     decided here and nowhere else.
-- O6  closes counts the closes that were ever begun; the next one has the next number, and begins only once the last has
--     ended (closing is null).
-- O7  A paid order knows its payment: the same payment once more is no second one.

alter table orders
  add column held_by text, -- <namespace>/<name> of the pay-order or close-order transaction at work
  add column payment_id text,
  add column closes integer not null default 0,
  add column closing text, -- the close that has not ended yet
  add column withdrawn boolean not null default false, -- the customer does not want it any more: every further close says so
  add column close_at timestamptz; -- when it is closed if it is still PENDING_PAYMENT; null until it is

update orders
set close_at = status_since + interval '30 minutes'
where status = 'PENDING_PAYMENT';

alter table orders
  add constraint held_while_undecided check ((held_by is not null) = (status in ('PAYING', 'CLOSING'))),
  add constraint paid_by_a_payment check ((payment_id is not null) = (status in ('PAID', 'SHIPPED', 'RECEIVED'))),
  add constraint closed_by_a_close check (status not in ('CLOSING', 'CLOSED') or closing is not null);

-- What the scanner reads, oldest first; orders that are paid, closed or being closed never lie in it.
create index orders_to_close on orders (close_at) where status = 'PENDING_PAYMENT' and closing is null;

alter table order_creation rename to creation;
alter table creation
  drop constraint order_creation_pkey,
  add column flow text,
  add column payload jsonb;

update creation
set flow = 'create-order',
    payload = jsonb_build_object('orderId', order_id, 'userId', user_id, 'lines', lines, 'totalCents', total_cents);

alter table creation
  alter column flow set not null,
  alter column payload set not null,
  drop column user_id,
  drop column total_cents,
  drop column lines,
  add primary key (transaction);
alter index order_creation_by_due rename to creation_by_due;
-- Before its try an order is nowhere but here.
create index creation_of_order on creation (order_id) where flow = 'create-order';
