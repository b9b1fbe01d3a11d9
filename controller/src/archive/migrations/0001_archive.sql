-- Transactions that were removed from the API server, one row each, divided by the month of their end.
--
-- The object is json and not jsonb: that keeps it as it was written, numbers digit by digit, and takes what jsonb refuses (a \u0000 in
-- a text, a number of a thousand digits), so that nobody's payload can keep a transaction from being archived.
create table ordertx_archive (
  namespace text not null,
  uid text not null, -- of the object: one that was put again under the same name is another one
  name text not null,
  order_id text not null,
  flow text not null,
  outcome text not null, -- the final phase
  finished_at timestamptz not null,
  archived_at timestamptz not null default now(),
  object json not null, -- without managed fields
  primary key (namespace, finished_at, uid)
) partition by range (finished_at);

-- Each page is a walk along one of these, from its key on.
create index ordertx_archive_by_order on ordertx_archive (namespace, order_id, finished_at, uid);
create index ordertx_archive_by_name on ordertx_archive (namespace, name, finished_at, uid);
create index ordertx_archive_by_flow on ordertx_archive (namespace, flow, finished_at, uid);
create index ordertx_archive_by_outcome on ordertx_archive (namespace, outcome, finished_at, uid);
create index ordertx_archive_by_flow_and_outcome on ordertx_archive (namespace, flow, outcome, finished_at, uid);
