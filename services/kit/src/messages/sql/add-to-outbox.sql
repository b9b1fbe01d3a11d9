-- A message that a service starts, in the database transaction of what it tells of.
--
-- $1 id, $2 stream, $3 type, $4 subject, $5 data (JSON), $6 traceparent. A message of this id that is there already stays.
insert into ordertx_outbox (id, stream, type, subject, data, traceparent)
values ($1, $2, $3, $4, $5::jsonb, $6)
on conflict (id) do nothing
