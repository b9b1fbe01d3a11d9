-- What the note service's handlers leave: one row for each note that was handled.
create table notes (
  note text not null,
  order_id text not null,
  detail text not null
);
