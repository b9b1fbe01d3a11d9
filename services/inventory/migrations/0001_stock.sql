-- Stock by SKU, and what each order has reserved of it.
--
-- S1  Every unit that was stocked is in exactly one place: sellable, frozen or sold.
-- S2  A reservation's state is kept once, on the order, however many SKUs it has: one order is frozen, sold or returned
--     as a whole, and one row is the lock for all of it.
-- S3  stock.frozen is the sum of the lines whose reservation is TRIED or FROZEN, stock.sold of those that are SOLD.
--     It is kept beside the lines because a try must decide by reading one row per SKU.

create table stock (
  sku_id text primary key,
  stocked integer not null check (stocked >= 0),
  sellable integer not null check (sellable >= 0),
  frozen integer not null default 0 check (frozen >= 0),
  sold integer not null default 0 check (sold >= 0),
  constraint every_unit_is_in_one_place check (sellable + frozen + sold = stocked)
) with (fillfactor = 50); -- room beside hot rows, so that an update stays on its page and touches no index

create table reservation (
  order_id text primary key,
  transaction text not null, -- <namespace>/<name> of the order transaction that froze it
  state text not null check (
    state in (
      'TRIED', -- frozen, and a cancel may still return it
      'FROZEN', -- final for the creation: the order holds it until it is sold or returned
      'SOLD',
      'RETURNED'
    )
  ),
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
) with (fillfactor = 80);

create table reservation_line (
  order_id text not null references reservation,
  sku_id text not null, -- no foreign key: the try that writes the line holds the stock row, and stock rows are never deleted
  quantity integer not null check (quantity > 0),
  primary key (order_id, sku_id)
);
