-- Keeps an entry that named nobody to tell of its refusal. $1 digest, $2 stream, $3 the entry's beginning, $4 reason.
insert into ordertx_unanswerable (digest, stream, entry, reason)
values ($1, $2, $3, $4)
on conflict (digest) do update
set times = ordertx_unanswerable.times + 1,
    reason = excluded.reason,
    last_at = now()
