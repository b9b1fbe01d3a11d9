-- One row per order that the warehouse has heard of.
--
-- W1  Messages come in any order, so any of them may make the row; it is never removed.
-- W2  The row's state is the furthest that was told or done. What may follow what is judged in src/next-state.ts, with the
--     row locked.
-- W3  A row becomes SHIPPED in the database transaction that writes the outbox row of `wms.shipped`, and in no other.

create table shipment (
  order_id text primary key,
  lines jsonb not null, -- what to pick: [{skuId, quantity}] as ordered; never changed
  state text not null check (
    state in (
      'LOCKED', -- held for an order that is not paid
      'OUTBOUND', -- paid: to be picked and shipped
      'SHIPPED', -- final
      'RELEASED' -- final: it was closed, and nothing is to be picked
    )
  ),
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
) with (fillfactor = 80);
