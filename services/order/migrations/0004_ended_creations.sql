-- Creations whose branch has ended are kept for a while: an API server's or a participant's database that was restored from an older
-- snapshot has lost what they brought about, and they can be made again (`creations again`).
--
-- O8  A creation leaves the outbox and comes to lie here in the database transaction that ends the order's branch.
-- O9  What lies here is created again only when a person asks for it, and once for each time it was asked for: fence and inbox make
--     it harmless where nothing was lost.
--
-- A table of its own, and not a mark on the outbox's row, so that the outbox stays as small as what is under way.

create table ended_creation (
  transaction text not null, -- <namespace>/<name>
  flow text not null,
  order_id text not null,
  payload jsonb not null, -- as it was sent: the fence takes no other
  traceparent text not null,
  created_at timestamptz not null,
  ended_at timestamptz not null default now(),
  due_at timestamptz, -- when it is created again; null where nobody has asked for it, or it is done
  failures integer not null default 0, -- in a row, since somebody asked
  last_error text
);

-- Grows at one end only, so it costs the confirm next to nothing.
create index ended_creation_by_age on ended_creation (ended_at);
-- Nothing enters these two before somebody has asked.
create index ended_creation_by_due on ended_creation (due_at) where due_at is not null;
create index ended_creation_asked_for on ended_creation (transaction) where due_at is not null;
