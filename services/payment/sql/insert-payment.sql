-- A payment that is asked for. $1 payment id, $2 order id, $3 amount in cents.
insert into payments (payment_id, order_id, amount_cents)
values ($1, $2, $3)
