-- Whether a message was handled before, and what it said. $1 id.
select digest
from ordertx_inbox
where id = $1
