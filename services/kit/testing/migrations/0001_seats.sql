-- Seats that are sold: the smallest business with something to reserve.
create table shows (
  show text primary key,
  free integer not null check (free >= 0)
);
create table reservations (
  transaction text primary key,
  show text not null,
  seats integer not null,
  state text not null check (state in ('held', 'sold'))
);
-- What the business functions were told, kept only where their database transaction was.
create table told (
  seq bigserial primary key,
  operation text not null,
  transaction text not null,
  tried boolean,
  seats integer,
  reason text,
  detail text
);
