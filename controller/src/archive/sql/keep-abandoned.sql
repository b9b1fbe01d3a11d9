-- One that was given up and deleted before its end. Whoever hears of it again, or another replica, does not keep it again.
-- $1 namespace, $2 uid, $3 name, $4 order, $5 flow, $6 when it was gone, $7 the object.
insert into ordertx_archive (namespace, uid, name, order_id, flow, outcome, finished_at, object)
select $1::text, $2::text, $3::text, $4::text, $5::text, 'Abandoned', $6::timestamptz, $7::json
where not exists (select 1 from ordertx_archive as kept where kept.namespace = $1 and kept.name = $3 and kept.uid = $2)
