-- Lets this session call the provider for a notification, and no other until it unlocks or ends; it ends when it is idle for too
-- long (a setting that Postgres has from 14 on). Null where another one has it. $1 notification id, $2 milliseconds.
select case
  when pg_try_advisory_lock(hashtextextended($1, 0)) then set_config('idle_session_timeout', $2, false)
end as idle_timeout
