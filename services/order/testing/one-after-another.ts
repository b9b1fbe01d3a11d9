/**
 * Whether what was done at the same moment can have been done one after another.
 *
 * Steps whose answers, and what is there afterwards, are those of some order of all their acts are as good as done in that order
 * (linearizability: Herlihy and Wing, 1990). Every order is tried, and left as soon as it gives another answer than was heard. The
 * service's own scanner may do its part between any two acts.
 */
import { isDeepStrictEqual } from 'node:util';
import { actsOf, scanned, type Act, type Book, type Step } from './order-book.ts';

export interface Happened {
  readonly step: Step;
  readonly answer: string;
}

/** All of the order that lies in the database. */
export interface Seen extends Omit<Book, 'due'> {
  /** Its time to pay is over. */
  readonly due: boolean;
}

/** The book that ends as the order was seen, after an order of all these steps; undefined when there is none. */
export function explain(before: Book, happened: readonly Happened[], seen: Seen): Book | undefined {
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

function search(book: Book, strands: readonly Strand[], seen: Seen): Book | undefined {
  if (strands.length === 0 && fits(book, seen)) return book;
  for (const [index, { acts, said, answer }] of strands.entries()) {
    const [act, ...rest] = acts;
    const told = act?.(book, said);
    if (told === undefined || (rest.length === 0 && told.said !== answer)) continue;
    const others =
      rest.length === 0 ? strands.toSpliced(index, 1) : strands.with(index, { acts: rest, said: told.said, answer });
    const found = search(told.book, others, seen);
    if (found !== undefined) return found;
  }
  const later = scanned(book);
  return later && search(later, strands, seen);
}

function fits({ due, ...book }: Book, { due: seenDue, ...seen }: Seen): boolean {
  if (due !== 'soon' && (due === 'now') !== seenDue) return false;
  return isDeepStrictEqual(
    { ...book, handled: book.handled.toSorted() },
    { ...seen, handled: seen.handled.toSorted() },
  );
}
