-- Whose transactions an order's dispatch listens to.
--
-- D3  The first message of an order says in which namespace its transactions lie; later ones from another namespace count for
--     nothing. Null: heard of before this was kept, and learned with the next message.

alter table dispatch add column namespace text;
