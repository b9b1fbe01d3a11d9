-- Waits for another call of the same branch to end, and shows what it left.
select path, state, digest, payload, answer, refusal
from ordertx_fence
where transaction = $1 and branch = $2
for update;
