-- What members were granted, one row per paid order.
--
-- M1  An order is granted points once, whatever messages come: its id is the key.
-- M2  What a member has is the sum of its rows. It is written down nowhere else, so there is nothing for it to disagree with.

create table point_grant (
  order_id text primary key,
  payment_id text not null, -- the payment it was granted for
  user_id text not null,
  points bigint not null check (points >= 0),
  growth bigint not null check (growth >= 0),
  granted_at timestamptz not null default now()
);

-- A member's sum is read from this index alone.
create index point_grant_by_user on point_grant (user_id) include (points, growth);
