-- Messages in and out. Every service has these tables; one that hears or says nothing leaves them empty.
--
-- M1  A message's effect and its inbox row are written in one database transaction: the effect happens once, however
--     often the message comes.
-- M2  A message that a service starts is written in the database transaction of what it tells of, and stays in the
--     outbox until its receipt says that it was delivered.

create table ordertx_inbox (
  id text primary key, -- of the message: the same on every publication
  type text not null,
  handled_at timestamptz not null default now()
);

create index ordertx_inbox_by_age on ordertx_inbox (handled_at);

create table ordertx_outbox (
  id text primary key,
  stream text not null,
  type text not null,
  subject text not null, -- the order id
  data jsonb not null,
  traceparent text,
  created_at timestamptz not null default now(),
  due_at timestamptz not null default now(), -- when it is published (again)
  attempts integer not null default 0, -- publications since it was written, or since a person asked for another try
  refused_reason text -- its consumer said no: parked until a person asks for another try
) with (fillfactor = 70);

create index ordertx_outbox_by_due on ordertx_outbox (due_at) where refused_reason is null;

-- What lay on this service's stream and named nobody to tell that it was refused. Kept for people to look at.
create table ordertx_unanswerable (
  digest text primary key, -- of the entry's text: the same nonsense again is counted, not stored again
  stream text not null,
  entry text not null, -- its beginning
  reason text not null,
  times integer not null default 1,
  last_at timestamptz not null default now()
);

create index ordertx_unanswerable_by_age on ordertx_unanswerable (last_at);
