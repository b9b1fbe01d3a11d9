-- A creation that had failed went through: its next failure starts with the shortest delay again.
--
-- $1 transaction.
update creation
set failures = 0,
    refused = false,
    last_error = null
where transaction = $1
