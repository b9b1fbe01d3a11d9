/**
 * An order as the rules say it must be: what each step makes of it, and what each step is answered.
 *
 * Written from the rules alone: it shares nothing with the service but the names of the statuses and the words for a foreigner. Its order is one that waits for
 * its payment when the book is opened; what it is given later it may be given by anybody, in any order, again and again.
 *
 * A step is one act or two. What others do may come between two acts, and nothing comes into the middle of one. Two acts have a
 * withdrawal, which is stored before the order is read for its answer, and an order's time being over, which the scanner sees later.
 */
import { FOREIGN_ATTEMPT, type CloseCause } from '../../protocol/src/index.ts';
import type { OrderStatus } from '../src/orders.ts';
import { TOTAL_CENTS } from './order-desk.ts';

export interface Payment {
  readonly kind: 'payment';
  readonly transaction: string;
  readonly paymentId: string;
  readonly amountCents: number;
  /** A copy under another name, or in another namespace. */
  readonly foreign: boolean;
}

export interface Close {
  readonly kind: 'close';
  readonly transaction: string;
  readonly number: number;
  readonly cause: CloseCause;
  readonly foreign: boolean;
}

/** A transaction that wants the order. */
export type Contender = Payment | Close;

export type Step =
  | { readonly kind: 'try' | 'confirm' | 'cancel'; readonly of: Contender }
  /** `payment.succeeded`; `id` is the message's. */
  | { readonly kind: 'captured'; readonly of: Payment; readonly id: string }
  /** `wms.shipped`. */
  | { readonly kind: 'shipped'; readonly id: string }
  /** Overdue: its time to pay is over, and the scanner looks until it has done what it does about that. Reprieve: it has time again. */
  | { readonly kind: 'receipt' | 'withdrawal' | 'overdue' | 'reprieve' };

export interface Branch {
  readonly state: string;
  /** Null where it is not Refused. */
  readonly refusal: string | null;
}

export interface Book {
  readonly orderId: string;
  readonly namespace: string;
  readonly status: OrderStatus;
  readonly heldBy: string | null;
  readonly paymentId: string | null;
  readonly closes: number;
  readonly closing: string | null;
  readonly withdrawn: boolean;
  /** Whether the scanner may close it; `soon`: not before ten seconds have passed, if they have not. */
  readonly due: 'no' | 'soon' | 'now';
  /** Status and reason. */
  readonly history: readonly (readonly [OrderStatus, string | null])[];
  /** By transaction: the fence's rows. */
  readonly branches: Readonly<Record<string, Branch>>;
  /** By transaction: the creation outbox's rows, with a close's cause. */
  readonly creations: Readonly<Record<string, string | null>>;
  /** Ids in the inbox. */
  readonly handled: readonly string[];
}

export function openBook(orderId: string, namespace: string): Book {
  return {
    ...{ orderId, namespace, status: 'PENDING_PAYMENT', heldBy: null, paymentId: null, closes: 0, closing: null },
    ...{ withdrawn: false, due: 'no', branches: {}, creations: {}, handled: [] },
    history: [
      ['INIT', null],
      ['PENDING_PAYMENT', null],
    ],
  };
}

export interface Told {
  readonly book: Book;
  /** The answer, once the step's last act is done. */
  readonly said: string;
}

/** Undefined where the act cannot have been done with the order being so. */
export type Act = (book: Book, said: string) => Told | undefined;

/** What the step consists of. */
export function actsOf(step: Step): readonly Act[] {
  switch (step.kind) {
    case 'try':
      // A close is refused before the refusal is stored, and who begins a close meanwhile does not see its name as used.
      return step.of.kind === 'close'
        ? [(book) => judged(book, step.of), (book, said) => stored(book, step.of, said)]
        : [(book) => tryOf(book, step.of)];
    case 'confirm':
      return [(book) => confirmOf(book, step.of)];
    case 'cancel':
      return [(book) => cancelOf(book, step.of)];
    case 'captured':
      return [(book) => captured(book, step.of, step.id)];
    case 'shipped':
      return [(book) => shipped(book, step.id)];
    case 'receipt':
      return [received];
    case 'withdrawal':
      return [wished, looked];
    case 'reprieve':
      return [(book) => ({ book: { ...book, due: 'no' }, said: 'reprieved' })];
    case 'overdue':
      return [
        (book) => ({ book: { ...book, due: 'now' }, said: '' }),
        (book) => (book.due === 'now' && scanned(book) !== undefined ? undefined : { book, said: 'scanned' }),
      ];
  }
}

/** The scanner has begun the order's next close; undefined where it cannot have. */
export function scanned(book: Book): Book | undefined {
  const { status, closing, due, withdrawn } = book;
  if (status !== 'PENDING_PAYMENT' || closing !== null || due === 'no') return undefined;
  return withCloseBegun(book, withdrawn ? 'withdrawn' : 'unpaid');
}

const WORDS: Readonly<Record<CloseCause, string>> = {
  unpaid: 'it was not paid in time',
  withdrawn: 'the customer withdrew it',
};

function tryOf(book: Book, of: Contender): Told {
  const stored = book.branches[of.transaction];
  if (stored?.state === 'Cancelled') return { book, said: '409 Cancelled cancelled' };
  const refusal = stored === undefined ? refusalOf(book, of) : stored.refusal;
  if (refusal !== null) {
    return { book: withBranch(book, of, 'Refused', refusal), said: `${REFUSED}${refusal}` };
  }
  if (stored !== undefined) return { book, said: `200 ${stored.state}` };
  const reason = of.kind === 'close' ? WORDS[of.cause] : null;
  const taken = moved(withBranch(book, of, 'Tried'), of.kind === 'close' ? 'CLOSING' : 'PAYING', reason);
  return { book: { ...taken, heldBy: of.transaction }, said: '200 Tried' };
}

function judged(book: Book, of: Contender): Told {
  const told = tryOf(book, of);
  const isNew = book.branches[of.transaction] === undefined;
  return isNew && told.said.startsWith(REFUSED) ? { book, said: told.said } : told;
}

function stored(book: Book, of: Contender, said: string): Told {
  if (!said.startsWith(REFUSED) || book.branches[of.transaction] !== undefined) return { book, said };
  return { book: withBranch(book, of, 'Refused', said.slice(REFUSED.length)), said };
}

const REFUSED = '409 Refused refused: ';

/** Why it cannot have the order; null where it can. */
function refusalOf({ status, closing }: Book, of: Contender): string | null {
  const paid = of.kind === 'payment' ? 'the order is paid already, by another payment' : 'the order is paid';
  const already = of.kind === 'close' ? ' already' : '';
  if (of.foreign) return FOREIGN_ATTEMPT;
  switch (status) {
    case 'PENDING_PAYMENT':
      if (of.kind === 'payment') {
        if (of.amountCents === TOTAL_CENTS) return null;
        return `the order costs ${TOTAL_CENTS} cents, and the payment is of ${of.amountCents}`;
      }
      if (closing === of.transaction) return null;
      return closing === null
        ? 'the order service has not begun this close'
        : 'another close of the order is under way';
    case 'PAYING':
      return of.kind === 'payment' ? 'another payment of the order is under way' : 'the order is being paid';
    case 'CLOSING':
      return `the order is being closed${already}`;
    case 'CLOSED':
      return `the order is closed${already}`;
    case 'PAID':
    case 'SHIPPED':
    case 'RECEIVED':
      return paid;
    case 'INIT':
    case 'CANCELLED':
      throw new Error(`an order that waited for its payment is never ${status}`);
  }
}

/** The coordinator confirms only what was tried. */
function confirmOf(book: Book, of: Contender): Told | undefined {
  const { state } = book.branches[of.transaction] ?? {};
  if (state === 'Confirmed') return { book, said: '200 Confirmed' };
  if (state !== 'Tried' || book.heldBy !== of.transaction) return undefined;
  const ended = withoutCreation(withBranch(book, of, 'Confirmed'), of);
  const won =
    of.kind === 'payment'
      ? { ...moved(ended, 'PAID', `paid by payment ${of.paymentId}`), paymentId: of.paymentId }
      : moved(ended, 'CLOSED', WORDS[of.cause]);
  return { book: won, said: '200 Confirmed' };
}

/** The coordinator cancels nothing that it has confirmed. */
function cancelOf(book: Book, of: Contender): Told | undefined {
  const { state } = book.branches[of.transaction] ?? {};
  if (state === 'Confirmed') return undefined;
  if (state === 'Cancelled') return { book, said: '200 Cancelled' };
  const not = of.kind === 'payment' ? `payment ${of.paymentId} was not taken` : 'it was not closed';
  const free = state === 'Tried' ? moved(book, 'PENDING_PAYMENT', `${not}: it was cancelled`) : book;
  const ended = withoutCreation(withBranch(free, of, 'Cancelled'), of);
  return { book: of.kind === 'close' ? withCloseEnded(ended, of) : ended, said: '200 Cancelled' };
}

const FAILS = 'its closes come to nothing: they are begun again ever more rarely, and someone must look why';

/** If it was the one under way there is a pause before the next. */
function withCloseEnded(book: Book, { transaction }: Close): Book {
  if (book.status === 'CLOSED' || book.closing !== transaction) return book;
  const fails = book.status === 'PENDING_PAYMENT' && book.closes >= 3 && !book.history.some(([, why]) => why === FAILS);
  const history = fails ? [...book.history, ['PENDING_PAYMENT', FAILS] as const] : book.history;
  return { ...book, history, closing: null, due: book.withdrawn || book.due !== 'no' ? 'soon' : 'no' };
}

function captured(book: Book, of: Payment, id: string): Told {
  if (book.handled.includes(id)) return { book, said: 'delivered' };
  const state = book.branches[of.transaction]?.state ?? 'None';
  const heard = { ...book, handled: [...book.handled, id] };
  const wanted = !['Confirmed', 'Cancelled'].includes(state) && book.paymentId !== of.paymentId;
  return { book: wanted ? withCreation(heard, of.transaction, null) : heard, said: 'delivered' };
}

function shipped(book: Book, id: string): Told {
  const { orderId, status, handled } = book;
  if (handled.includes(id)) return { book, said: 'delivered' };
  const heard = { ...book, handled: [...handled, id] };
  if (status === 'PAID') return { book: moved(heard, 'SHIPPED', null), said: 'delivered' };
  if (status === 'SHIPPED' || status === 'RECEIVED') return { book: heard, said: 'delivered' };
  const said = status === 'CLOSED' ? `refused: order ${orderId} is CLOSED: it should not have been shipped` : 'not-yet';
  return { book, said };
}

function received(book: Book): Told {
  if (book.status === 'SHIPPED') return { book: moved(book, 'RECEIVED', null), said: '200 RECEIVED' };
  return { book, said: book.status === 'RECEIVED' ? '200 RECEIVED' : `409 wrong-status ${book.status}` };
}

/** A withdrawal's first act: the wish is stored; what is said is the close that will grant it. */
function wished(book: Book): Told {
  const { status, closing } = book;
  const nameOf = (transaction: string | null) => transaction?.split('/')[1] ?? '';
  if (status === 'CLOSED') return { book, said: nameOf(closing) };
  if (status !== 'PENDING_PAYMENT' && status !== 'CLOSING') return { book, said: notWithdrawn(status) };
  const wish = { ...book, withdrawn: true };
  const begun = closing === null ? withCloseBegun(wish, 'withdrawn') : wish;
  return { book: begun, said: nameOf(begun.closing) };
}

/** Its second act: how far that has come by now. */
function looked(book: Book, said: string): Told {
  if (!said.startsWith('close-')) return { book, said };
  const { status } = book;
  if (status === 'CLOSED') return { book, said: `200 CLOSED ${said}` };
  const underWay = status === 'PENDING_PAYMENT' || status === 'CLOSING';
  return { book, said: underWay ? `202 ${status} ${said}` : notWithdrawn(status) };
}

function notWithdrawn(status: OrderStatus): string {
  return `409 ${status === 'PAYING' ? 'try-again-later' : 'wrong-status'} ${status}`;
}

/** Held by nobody from now on, unless the caller says by whom. */
function moved(book: Book, status: OrderStatus, reason: string | null): Book {
  return { ...book, status, heldBy: null, history: [...book.history, [status, reason]] };
}

function withBranch(book: Book, { transaction }: Contender, state: string, refusal: string | null = null): Book {
  return { ...book, branches: { ...book.branches, [transaction]: { state, refusal } } };
}

function withCloseBegun(book: Book, cause: CloseCause): Book {
  const nameOf = (number: number): string => `${book.namespace}/close-${book.orderId}-${number}`;
  let closes = book.closes + 1;
  // Somebody has made a transaction of this name before it was begun.
  while (nameOf(closes) in book.branches) closes += 1;
  const closing = nameOf(closes);
  return withCreation({ ...book, closes, closing }, closing, cause);
}

function withCreation(book: Book, transaction: string, cause: string | null): Book {
  return transaction in book.creations ? book : { ...book, creations: { ...book.creations, [transaction]: cause } };
}

function withoutCreation(book: Book, { transaction }: Contender): Book {
  return {
    ...book,
    creations: Object.fromEntries(Object.entries(book.creations).filter(([name]) => name !== transaction)),
  };
}
