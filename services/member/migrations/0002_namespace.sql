-- From which namespace an order's points were granted.
--
-- M3  A payment told of from another namespace than that of the grant is not the order's, and counts for nothing. Null: granted
--     before this was kept.

alter table point_grant add column namespace text;
