/**
 * The seat service's usual try and confirm as statements: what seat-service.ts does step by step, but for what it tells.
 */
import { joinedStatement, usualCase, type Branch, type UsualCase } from '../src/index.ts';

const HOLD_SEATS = joinedStatement(
  'hold-seats',
  `with claimed as (select), held as (
    insert into reservations (transaction, show, seats, state)
    select $1, $2, $3, 'held' from claimed
    on conflict do nothing
    returning show, seats
  ), taken as (
    update shows set free = free - held.seats from held
    where shows.show = held.show and free >= held.seats
    returning 1
  ), outcome as (
    select exists (select from taken) as done
  )
  select * from outcome`,
  'select where exists (select from shows where show = $2 and free >= $3)',
);
const SELL_SEATS = joinedStatement(
  'sell-seats',
  `with claimed as (select), sold as (
    update reservations set state = 'sold' from claimed where transaction = $1 returning 1
  ), outcome as (
    select exists (select from sold) as done
  )
  select * from outcome`,
);

/** @param ran hears of each that was done. */
export function usualSeats(
  ran: (operation: 'try' | 'confirm') => void,
): Branch<{ show: string; seats: number }>['usual'] {
  const named = ({ namespace, name }: { readonly namespace: string; readonly name: string }) => `${namespace}/${name}`;
  return {
    try: ({ transaction, payload }): UsualCase =>
      usualCase(HOLD_SEATS, [named(transaction), payload.show, payload.seats], () => ran('try')),
    confirm: ({ transaction }): UsualCase => usualCase(SELL_SEATS, [named(transaction)], () => ran('confirm')),
  };
}
