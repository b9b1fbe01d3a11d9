-- Whoever asks for a payment of this order without a key waits here for whoever does at the same moment. $1 order id.
select pg_advisory_xact_lock(hashtextextended($1, 0))
