-- Keeps what went wrong with a creation, and when to send it again.
--
-- $1 transaction, $2 seconds until then, $3 whether the API server's rules refused it, $4 error.
update creation
set due_at = now() + make_interval(secs => $2),
    failures = failures + 1,
    refused = $3,
    last_error = $4
where transaction = $1
