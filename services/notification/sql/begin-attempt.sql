-- From the commit on, this publication is never given to a provider again. $1 notification id, $2 publication.
insert into attempts (notification_id, publication)
values ($1, $2)
