-- What a member has: zeros for one who never paid. $1 user id.
select
  coalesce(sum(points), 0)::float8 as points,
  coalesce(sum(growth), 0)::float8 as growth
from point_grant
where user_id = $1
