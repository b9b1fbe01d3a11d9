-- A notification, when its message comes for the first time. $1 id, $2 order id, $3 channel, $4 recipient, $5 text.
insert into notifications (id, order_id, channel, recipient, text)
values ($1, $2, $3, $4, $5)
on conflict (id) do nothing
