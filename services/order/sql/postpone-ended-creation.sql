-- Keeps what went wrong when an ended creation was made again, and when to try once more.
--
-- $1 transaction, $2 seconds until then, $3 error.
update ended_creation
set due_at = now() + make_interval(secs => $2),
    failures = failures + 1,
    last_error = $3
where transaction = $1
  and due_at is not null
