-- Whether an order's points are not granted yet. $1 order id.
select
where not exists (select from point_grant where order_id = $1)
