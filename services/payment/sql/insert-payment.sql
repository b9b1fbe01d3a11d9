-- A payment that is asked for. $1 payment id, $2 order id, $3 amount in cents, $4 namespace of the order's transactions.
insert into payments (payment_id, order_id, amount_cents, namespace)
values ($1, $2, $3, $4)
