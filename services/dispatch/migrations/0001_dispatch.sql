-- One row per order that dispatch has heard of.
--
-- D1  Messages come in any order, so any of them may make the row; it is never removed.
-- D2  The row's state is the furthest that was told. What may follow what is judged in src/next-state.ts, with the row locked.

create table dispatch (
  order_id text primary key,
  state text not null check (
    state in (
      'LOCKED', -- capacity is held for an order that is not paid
      'SCHEDULED', -- final: it was paid and goes out
      'RELEASED' -- final: it was closed, and holds nothing
    )
  ),
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
) with (fillfactor = 80);
