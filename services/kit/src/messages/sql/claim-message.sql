-- The claim of a message that was not handled before, joined with its effect. Waits for a copy of it that is being handled; takes
-- nothing where one was handled before. $1 id, $2 type, $3 digest.
with likely as (select)
insert into ordertx_inbox (id, type, digest)
select $1, $2, $3
from likely
on conflict (id) do nothing
returning id as key
