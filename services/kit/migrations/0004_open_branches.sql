-- no transaction
-- The metrics ask for the oldest row without an end, among millions that have one.
--
-- It costs a try one more entry, and the change to a final state nothing: that leaves the index, and could not be a HOT update before,
-- because ordertx_fence_final has a predicate over the state as well.
create index concurrently ordertx_fence_open on ordertx_fence (created_at) where state in ('Tried', 'Refused');
