-- One row per branch of a transaction that this service takes part in.
create table ordertx_fence (
  transaction text not null,                    -- <namespace>/<name>
  branch text not null,
  path text not null,                           -- which of the service's branches it is: /tcc/create-order
  state text not null check (state in ('Tried', 'Refused', 'Confirmed', 'Cancelled')),
  digest text,                                  -- of the payload tried (RFC 8785, sha256); null where nothing was tried
  payload text,                                 -- what was tried, kept until the branch is final
  answer text,                                  -- the JSON body a try was answered with, replayed to every repeat
  refusal text,                                 -- why the try was refused, replayed to every repeat
  settled_reason text,                          -- a person settled the branch by hand; null where the protocol did
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  primary key (transaction, branch)
);

-- Cleaning reads final rows by age; rows still at work never enter this index.
create index ordertx_fence_final on ordertx_fence (changed_at) where state in ('Confirmed', 'Cancelled');
