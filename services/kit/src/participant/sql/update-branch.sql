-- Where a branch goes from here; its row is locked by the same database transaction.
update ordertx_fence
set state = $3,
    digest = $4,
    payload = $5,
    answer = $6,
    refusal = $7,
    settled_reason = $8,
    changed_at = now()
where transaction = $1 and branch = $2;
