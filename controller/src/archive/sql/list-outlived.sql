-- Months that ended more than $1 days ago.
select child.relname as name
from pg_inherits
join pg_class child on child.oid = inhrelid
where inhparent = 'ordertx_archive'::regclass
  and child.relname ~ '^ordertx_archive_\d{4,6}_\d{2}$'
  and to_date(substring(child.relname from '\d+_\d{2}$'), 'YYYY_MM') + interval '1 month' < now() - make_interval(days => $1)
order by child.relname
