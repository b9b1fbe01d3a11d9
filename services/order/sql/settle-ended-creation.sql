-- An ended creation was made again, or its transaction is there: nothing is due any more. $1 transaction.
update ended_creation
set due_at = null,
    failures = 0,
    last_error = null
where transaction = $1
  and due_at is not null
