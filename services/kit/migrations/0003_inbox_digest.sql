-- What a message that was handled said: another one under the same id is not taken for its duplicate.
--
-- Null in rows of the version before this one, and of its replicas that still run: those ids alone are compared. Without a default,
-- so no row is rewritten.
alter table ordertx_inbox add column digest text; -- of source, type and data (RFC 8785, sha256)
