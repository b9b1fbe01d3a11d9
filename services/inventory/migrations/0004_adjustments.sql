-- Changes of stock by a delta, each with a key of its caller's.
--
-- S6  An adjustment is applied in the database transaction that stores its key, so it is applied once, however often it is sent.

create table stock_adjustment (
  sku_id text not null,
  idempotency_key text not null, -- unique per SKU, chosen by the caller
  delta integer not null check (delta <> 0),
  created_at timestamptz not null default now(),
  primary key (sku_id, idempotency_key)
);

create index stock_adjustment_by_age on stock_adjustment (created_at);
