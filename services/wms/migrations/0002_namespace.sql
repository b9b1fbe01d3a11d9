-- Whose transactions an order's shipment listens to.
--
-- W4  The first message of an order says in which namespace its transactions lie; later ones from another namespace count for
--     nothing. Null: heard of before this was kept, and learned with the next message.

alter table shipment add column namespace text;
