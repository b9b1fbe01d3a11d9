-- Whether an order's stock is frozen and bears no mark, as things stand before anything is locked. $1 order id.
select
where exists (select from reservation where order_id = $1 and state = 'FROZEN' and marked_by is null)
