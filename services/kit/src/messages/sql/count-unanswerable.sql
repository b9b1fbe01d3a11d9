-- For the metrics.
select count(*)::integer as entries
from ordertx_unanswerable
