-- Which transaction is about to end a reservation, and which one has ended it.
--
-- S4  The try of a payment or a closing marks the reservation it wants to end. One reservation bears one mark, so of two
--     transactions that both want to end it the second one waits. Which of them may is the order service's to decide, not ours.
-- S5  A mark moves no stock: a marked reservation is frozen like any other, and only its end takes the mark off for good.

alter table reservation
  add column marked_by text, -- <namespace>/<name> of the order transaction that is about to sell or return it
  add column ended_by text, -- <namespace>/<name> of the one that sold or returned it: its repeats are recognised by this
  add constraint only_a_frozen_reservation_is_marked check (marked_by is null or state = 'FROZEN'),
  -- Not the other way round: what a creation's cancel returned before this migration does not say who it was.
  add constraint only_an_ended_reservation_was_ended_by_someone check (ended_by is null or state in ('SOLD', 'RETURNED'));
