-- Takes a message as handled. Waits for a copy of it that is being handled; inserts nothing where one was handled before.
insert into ordertx_inbox (id, type)
values ($1, $2)
on conflict (id) do nothing
