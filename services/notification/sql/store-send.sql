-- Stands for sending. $1 notification id, $2 channel, $3 recipient, $4 text.
insert into stored_sends (notification_id, channel, recipient, text)
values ($1, $2, $3, $4)
