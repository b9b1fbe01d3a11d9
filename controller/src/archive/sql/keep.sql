-- One batch. A copy that was changed by a person after it was kept takes the place of the one before.
insert into ordertx_archive (namespace, uid, name, order_id, flow, outcome, finished_at, object)
select namespace, uid, name, order_id, flow, outcome, finished_at, object::json
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[])
  as kept (namespace, uid, name, order_id, flow, outcome, finished_at, object)
on conflict (namespace, finished_at, uid) do update set object = excluded.object
