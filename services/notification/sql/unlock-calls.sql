-- Lets others call the provider, and this session be idle. $1 notification id.
select
  pg_advisory_unlock(hashtextextended($1, 0)),
  set_config('idle_session_timeout', '0', false)
