/**
 * Whether a payment or a closing may end an order's reservation: what its try says, from what is reserved.
 *
 * Between a payment and a closing nothing is decided here: the order's own row is the only arbiter, and a participant that
 * refused because the other one was first could let both lose. So:
 *
 * 1. What may still turn out either way is waited for: another transaction's mark, a creation that is not confirmed here, and
 *    one that is not known here at all: after a restore of this database it is made again. Of an order that never was, the order's
 *    own branch refuses.
 * 2. Only what no waiting changes is refused: other lines than those reserved, or the end is over and it was another
 *    transaction's. The order refuses the latter as well.
 * 3. A transaction that does not have its name is refused before anything is looked at, and one in another namespace than the order's
 *    creation as soon as that is final. Which closes were begun is the order's to say.
 * 4. An end that this very transaction has brought about is agreed to again; its confirm then changes nothing.
 *
 * A total pure function. Its sentences are read by customer-service people, and those of a wait are the same from try to try.
 */
import { besides, FOREIGN_ATTEMPT, isAttempt, nameIn, type Flow, type OrderLine } from '../../protocol/src/index.ts';
import type { Act, Ending, Quantities, Reservation } from './reservation.ts';

export interface AskedEnding extends Act {
  readonly flow: Flow;
  readonly ending: Ending;
  readonly paymentId?: string;
  readonly lines: readonly OrderLine[];
}

export type Verdict =
  | { readonly kind: 'mark' }
  /** This transaction has ended it so already. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'wait' | 'refuse'; readonly detail: string };

const NOT_RESERVED: Verdict = { kind: 'wait', detail: 'no stock is reserved for the order yet' };

export function judgeEnding(reservation: Reservation | undefined, asked: AskedEnding): Verdict {
  const { transaction, flow, ending, lines } = asked;
  const name = nameIn(transaction);
  if (!isAttempt(flow, name, asked)) return { kind: 'refuse', detail: FOREIGN_ATTEMPT };
  if (reservation === undefined) return NOT_RESERVED;
  if (transaction !== besides(reservation.transaction, name)) {
    // Made by a copy of the order's creation, which the order service refuses; the order's own may still come.
    if (isOpenOrUndone(reservation)) return NOT_RESERVED;
    return { kind: 'refuse', detail: FOREIGN_ATTEMPT };
  }
  switch (reservation.state) {
    case 'SOLD':
    case 'RETURNED':
      if (reservation.state === ending && reservation.endedBy === transaction) return { kind: 'ended' };
      return { kind: 'refuse', detail: endedInWords(reservation.state) };
    case 'TRIED':
    case 'FROZEN': {
      const differences = differencesInWords(reservation.held, lines);
      if (differences !== '') {
        const detail = `the lines given for the order are not those its stock is reserved for: ${differences}`;
        return { kind: 'refuse', detail };
      }
      if (reservation.state === 'TRIED') {
        return { kind: 'wait', detail: 'the order is still being created, so its stock is not final yet' };
      }
      if (reservation.markedBy !== null && reservation.markedBy !== transaction) {
        return { kind: 'wait', detail: 'another payment or closing of the order is under way' };
      }
      return { kind: 'mark' };
    }
  }
}

/** Tried, or returned by its own creation's cancel. */
function isOpenOrUndone(reservation: Reservation): boolean {
  if (reservation.state === 'TRIED') return true;
  return reservation.state === 'RETURNED' && reservation.endedBy === reservation.transaction;
}

function endedInWords(ending: Ending): string {
  switch (ending) {
    case 'SOLD':
      return 'the stock is sold already: the order was paid before';
    case 'RETURNED':
      return 'the stock was returned already: the order was closed or cancelled before';
  }
}

/** Every SKU of which another quantity is given than held, in the order of their ids; empty when they agree. */
function differencesInWords(held: Quantities, lines: readonly OrderLine[]): string {
  const given = new Map(lines.map(({ skuId, quantity }) => [skuId, quantity]));
  const skuIds = [...new Set([...held.keys(), ...given.keys()])].sort();
  return skuIds
    .filter((skuId) => held.get(skuId) !== given.get(skuId))
    .map((skuId) => `${skuId} (${given.get(skuId) ?? 'none'} given, ${held.get(skuId) ?? 'none'} reserved)`)
    .join(', ');
}
