-- Notifications to customers, and the attempts to have them sent.
--
-- N1  An attempt's row is committed before its provider is called, and there is one per publication: a publication is at
--     most one provider call, whatever crashes when. An attempt without an outcome may have reached the provider or not.
-- N2  A notification that is SENT stays so, and is never sent again.

create table notifications (
  id text primary key, -- of the message
  order_id text not null,
  channel text not null check (channel = 'sms'),
  recipient text not null, -- a user id: addresses are the provider's business
  text text not null,
  status text not null default 'PENDING' check (status in ('PENDING', 'SENT', 'FAILED')),
  created_at timestamptz not null default now()
);

create index notifications_of_order on notifications (order_id, created_at);

create table attempts (
  notification_id text not null references notifications,
  publication text not null,
  outcome text check (outcome in ('sent', 'failed')), -- null while it is under way, and for ever where it was cut off
  reason text, -- why it failed
  begun_at timestamptz not null default now(),
  primary key (notification_id, publication),
  constraint reason_of_a_failure check ((reason is not null) = (outcome is not distinct from 'failed'))
);

-- What the provider `store` would have sent; a notification that it sent twice stands here twice.
create table stored_sends (
  step bigint generated always as identity primary key,
  notification_id text not null,
  channel text not null,
  recipient text not null,
  text text not null,
  at timestamptz not null default now()
);
