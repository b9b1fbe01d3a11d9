-- A person has mended what it was refused for: it is published again. $1 id, or null for all that are parked.
update ordertx_outbox
set refused_reason = null,
    attempts = 0,
    due_at = now()
where refused_reason is not null
  and ($1::text is null or id = $1)
returning id
