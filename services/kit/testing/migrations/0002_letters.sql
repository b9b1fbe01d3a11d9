-- What the post office's handlers leave: one row for each letter that was handled.
create table letters (
  letter text not null,
  order_id text not null,
  detail text not null
);
