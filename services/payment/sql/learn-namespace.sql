-- Where the transactions of a payment's order lie; what is kept already stays. $1 payment id, $2 namespace.
update payments
set namespace = $2
where payment_id = $1
  and namespace is null
