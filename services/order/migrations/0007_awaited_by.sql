-- Which process's request waits for a creation's end, so that only others have to be notified.
--
-- O11 Null where awaited: whoever waits may be anywhere. A request that joins a wait sets it to null before it looks at the order.
alter table creation add column awaited_by text;
