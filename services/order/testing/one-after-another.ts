/**
 * Whether what was done at the same moment can have been done one after another.
 *
 * Steps whose answers, and what is there afterwards, are those of some order of all their acts are as good as done in that order
 * (linearizability: Herlihy and Wing, 1990). Every order is tried, and left as soon as it gives another answer than was heard. The
 * service's own scanner may do its part between any two acts.
 */
import { isDeepStrictEqual } from 'node:util';
import { actsOf, scanned, type Act, type OrderModel, type Step } from './order-model.ts';

export interface Happened {
  readonly step: Step;
  readonly answer: string;
}

/** All of the order that lies in the database. */
export interface Seen extends Omit<OrderModel, 'due'> {
  /** Its time to pay is over. */
  readonly due: boolean;
}

/** The model that ends as the order was seen, after an order of all these steps; undefined when there is none. */
export function explain(before: OrderModel, happened: readonly Happened[], seen: Seen): OrderModel | undefined {
  return search(
    before,
    happened.map(({ step, answer }) => ({ acts: actsOf(step), said: '', answer })),
    seen,
  );
}

/** A step's acts that are still to be done. */
interface Strand {
  readonly acts: readonly Act[];
  /** By the act before. */
  readonly said: string;
  readonly answer: string;
}

function search(model: OrderModel, strands: readonly Strand[], seen: Seen): OrderModel | undefined {
  if (strands.length === 0 && fits(model, seen)) return model;
  for (const [index, { acts, said, answer }] of strands.entries()) {
    const [act, ...rest] = acts;
    const told = act?.(model, said);
    if (told === undefined || (rest.length === 0 && told.said !== answer)) continue;
    const others =
      rest.length === 0 ? strands.toSpliced(index, 1) : strands.with(index, { acts: rest, said: told.said, answer });
    const found = search(told.model, others, seen);
    if (found !== undefined) return found;
  }
  const later = scanned(model);
  return later && search(later, strands, seen);
}

function fits({ due, ...model }: OrderModel, { due: seenDue, ...seen }: Seen): boolean {
  if (due !== 'soon' && (due === 'now') !== seenDue) return false;
  return isDeepStrictEqual(
    { ...model, handled: model.handled.toSorted() },
    { ...seen, handled: seen.handled.toSorted() },
  );
}
