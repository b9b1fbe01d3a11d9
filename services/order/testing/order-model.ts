/**
 * An order as the rules say it must be: what each step makes of it, and what each step is answered.
 *
 * Written from the rules alone: it shares nothing with the service but the names of the statuses and two refusals' words. Its order is one that waits for
 * its payment when the model begins; what it is given later it may be given by anybody, in any order, again and again.
 *
 * A step is one act or two. What others do may come between two acts, and nothing comes into the middle of one. Two acts have a
 * withdrawal, which is stored before the order is read for its answer, and an order's time being over, which the scanner sees later.
 */
import { FOREIGN_ATTEMPT, type CloseCause } from '../../protocol/src/index.ts';
import { cancelledBefore } from '../src/messages/payment-succeeded.ts';
import type { OrderStatus } from '../src/orders.ts';
import { TOTAL_CENTS } from './order-fixture.ts';

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
  | { readonly kind: 'receipt' | 'withdrawal' | 'overdue' | 'reprieve' }
  /** `creations again`: the coordinator has lost them all, and begins each of them anew. */
  | { readonly kind: 'replayed' };

export interface Branch {
  readonly state: string;
  /** Null where it is not Refused. */
  readonly refusal: string | null;
}

export interface OrderModel {
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
  /** By transaction: ended creations, with a close's cause. */
  readonly ended: Readonly<Record<string, string | null>>;
  /** Ids in the inbox. */
  readonly handled: readonly string[];
}

export function openModel(orderId: string, namespace: string): OrderModel {
  return {
    ...{ orderId, namespace, status: 'PENDING_PAYMENT', heldBy: null, paymentId: null, closes: 0, closing: null },
    ...{ withdrawn: false, due: 'no', branches: {}, creations: {}, ended: {}, handled: [] },
    history: [
      ['INIT', null],
      ['PENDING_PAYMENT', null],
    ],
  };
}

export interface Told {
  readonly model: OrderModel;
  /** The answer, once the step's last act is done. */
  readonly said: string;
}

/** Undefined where the act cannot have been done with the order being so. */
export type Act = (model: OrderModel, said: string) => Told | undefined;

/** What the step consists of. */
export function actsOf(step: Step): readonly Act[] {
  switch (step.kind) {
    case 'try':
      // A close is refused before the refusal is stored, and who begins a close meanwhile does not see its name as used.
      return step.of.kind === 'close'
        ? [(model) => judged(model, step.of), (model, said) => stored(model, step.of, said)]
        : [(model) => tryOf(model, step.of)];
    case 'confirm':
      return [(model) => confirmOf(model, step.of)];
    case 'cancel':
      return [(model) => cancelOf(model, step.of)];
    case 'captured':
      return [(model) => captured(model, step.of, step.id)];
    case 'shipped':
      return [(model) => shipped(model, step.id)];
    case 'receipt':
      return [received];
    case 'withdrawal':
      return [wished, looked];
    case 'reprieve':
      return [(model) => ({ model: { ...model, due: 'no' }, said: 'reprieved' })];
    case 'overdue':
      return [
        (model) => ({ model: { ...model, due: 'now' }, said: '' }),
        (model) => (model.due === 'now' && scanned(model) !== undefined ? undefined : { model, said: 'scanned' }),
      ];
    case 'replayed':
      return [(model) => ({ model, said: replayed(model) })];
  }
}

/** The scanner has begun the order's next close; undefined where it cannot have. */
export function scanned(model: OrderModel): OrderModel | undefined {
  const { status, closing, due, withdrawn } = model;
  if (status !== 'PENDING_PAYMENT' || closing !== null || due === 'no') return undefined;
  return withCloseBegun(model, withdrawn ? 'withdrawn' : 'unpaid');
}

const WORDS: Readonly<Record<CloseCause, string>> = {
  unpaid: 'it was not paid in time',
  withdrawn: 'the customer withdrew it',
};

function tryOf(model: OrderModel, of: Contender): Told {
  const stored = model.branches[of.transaction];
  if (stored?.state === 'Cancelled') return { model, said: '409 Cancelled cancelled' };
  const refusal = stored === undefined ? refusalOf(model, of) : stored.refusal;
  if (refusal !== null) {
    return { model: withBranch(model, of, 'Refused', refusal), said: `${REFUSED}${refusal}` };
  }
  if (stored !== undefined) return { model, said: `200 ${stored.state}` };
  const reason = of.kind === 'close' ? WORDS[of.cause] : null;
  const taken = moved(withBranch(model, of, 'Tried'), of.kind === 'close' ? 'CLOSING' : 'PAYING', reason);
  return { model: { ...taken, heldBy: of.transaction }, said: '200 Tried' };
}

function judged(model: OrderModel, of: Contender): Told {
  const told = tryOf(model, of);
  const isNew = model.branches[of.transaction] === undefined;
  return isNew && told.said.startsWith(REFUSED) ? { model, said: told.said } : told;
}

function stored(model: OrderModel, of: Contender, said: string): Told {
  if (!said.startsWith(REFUSED) || model.branches[of.transaction] !== undefined) return { model, said };
  return { model: withBranch(model, of, 'Refused', said.slice(REFUSED.length)), said };
}

const REFUSED = '409 Refused refused: ';

/** Why it cannot have the order; null where it can. */
function refusalOf({ status, closing }: OrderModel, of: Contender): string | null {
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
function confirmOf(model: OrderModel, of: Contender): Told | undefined {
  const { state } = model.branches[of.transaction] ?? {};
  if (state === 'Confirmed') return { model, said: '200 Confirmed' };
  if (state !== 'Tried' || model.heldBy !== of.transaction) return undefined;
  const ended = withoutCreation(withBranch(model, of, 'Confirmed'), of);
  const won =
    of.kind === 'payment'
      ? { ...moved(ended, 'PAID', `paid by payment ${of.paymentId}`), paymentId: of.paymentId }
      : moved(ended, 'CLOSED', WORDS[of.cause]);
  return { model: won, said: '200 Confirmed' };
}

/** The coordinator cancels nothing that it has confirmed. */
function cancelOf(model: OrderModel, of: Contender): Told | undefined {
  const { state } = model.branches[of.transaction] ?? {};
  if (state === 'Confirmed') return undefined;
  if (state === 'Cancelled') return { model, said: '200 Cancelled' };
  const not = of.kind === 'payment' ? `payment ${of.paymentId} was not taken` : 'it was not closed';
  const free = state === 'Tried' ? moved(model, 'PENDING_PAYMENT', `${not}: it was cancelled`) : model;
  const ended = withoutCreation(withBranch(free, of, 'Cancelled'), of);
  return { model: of.kind === 'close' ? withCloseEnded(ended, of) : ended, said: '200 Cancelled' };
}

const FAILS = 'its closes come to nothing: they are begun again ever more rarely, and someone must look why';

/** If it was the one under way there is a pause before the next. */
function withCloseEnded(model: OrderModel, { transaction }: Close): OrderModel {
  if (model.status === 'CLOSED' || model.closing !== transaction) return model;
  const fails =
    model.status === 'PENDING_PAYMENT' && model.closes >= 3 && !model.history.some(([, why]) => why === FAILS);
  const history = fails ? [...model.history, ['PENDING_PAYMENT', FAILS] as const] : model.history;
  return { ...model, history, closing: null, due: model.withdrawn || model.due !== 'no' ? 'soon' : 'no' };
}

function captured(model: OrderModel, of: Payment, id: string): Told {
  if (model.handled.includes(id)) return { model, said: 'delivered' };
  const state = model.branches[of.transaction]?.state ?? 'None';
  const asked = of.transaction in model.creations || of.transaction in model.ended;
  if (state === 'Cancelled' && !asked) return { model, said: `refused: ${cancelledBefore(of.paymentId)}` };
  const heard = { ...model, handled: [...model.handled, id] };
  const wanted = !['Confirmed', 'Cancelled'].includes(state) && model.paymentId !== of.paymentId;
  return { model: wanted ? withCreation(heard, of.transaction, null) : heard, said: 'delivered' };
}

/** The cause with which somebody makes a close of this number by hand. */
export function causeOf(number: number): CloseCause {
  return number % 2 === 1 ? 'unpaid' : 'withdrawn';
}

/** Whether what the order service has begun was not made with another cause first: then that is what there is. */
export function isAsBegun(transaction: string, cause: string | null): boolean {
  return cause === null || cause === causeOf(Number(transaction.split('-').at(-1)));
}

/** What has ended stays as it ended, whoever begins it anew. */
function replayed({ ended, branches }: OrderModel): string {
  const said = Object.entries(ended)
    .filter(([transaction, cause]) => isAsBegun(transaction, cause))
    .map(([transaction]) =>
      branches[transaction]?.state === 'Confirmed'
        ? `${transaction}: 200 Confirmed, 200 Confirmed`
        : `${transaction}: 409 Cancelled cancelled, 200 Cancelled`,
    );
  return said.toSorted().join('; ');
}

function shipped(model: OrderModel, id: string): Told {
  const { orderId, status, handled } = model;
  if (handled.includes(id)) return { model, said: 'delivered' };
  const heard = { ...model, handled: [...handled, id] };
  if (status === 'PAID') return { model: moved(heard, 'SHIPPED', null), said: 'delivered' };
  if (status === 'SHIPPED' || status === 'RECEIVED') return { model: heard, said: 'delivered' };
  const said = status === 'CLOSED' ? `refused: order ${orderId} is CLOSED: it should not have been shipped` : 'not-yet';
  return { model, said };
}

function received(model: OrderModel): Told {
  if (model.status === 'SHIPPED') return { model: moved(model, 'RECEIVED', null), said: '200 RECEIVED' };
  return { model, said: model.status === 'RECEIVED' ? '200 RECEIVED' : `409 wrong-status ${model.status}` };
}

/** A withdrawal's first act: the wish is stored; what is said is the close that will grant it. */
function wished(model: OrderModel): Told {
  const { status, closing } = model;
  const nameOf = (transaction: string | null) => transaction?.split('/')[1] ?? '';
  if (status === 'CLOSED') return { model, said: nameOf(closing) };
  if (status !== 'PENDING_PAYMENT' && status !== 'CLOSING') return { model, said: notWithdrawn(status) };
  const wish = { ...model, withdrawn: true };
  const begun = closing === null ? withCloseBegun(wish, 'withdrawn') : wish;
  return { model: begun, said: nameOf(begun.closing) };
}

/** Its second act: how far that has come by now. */
function looked(model: OrderModel, said: string): Told {
  if (!said.startsWith('close-')) return { model, said };
  const { status } = model;
  if (status === 'CLOSED') return { model, said: `200 CLOSED ${said}` };
  const underWay = status === 'PENDING_PAYMENT' || status === 'CLOSING';
  return { model, said: underWay ? `202 ${status} ${said}` : notWithdrawn(status) };
}

function notWithdrawn(status: OrderStatus): string {
  return `409 ${status === 'PAYING' ? 'try-again-later' : 'wrong-status'} ${status}`;
}

/** Held by nobody from now on, unless the caller says by whom. */
function moved(model: OrderModel, status: OrderStatus, reason: string | null): OrderModel {
  return { ...model, status, heldBy: null, history: [...model.history, [status, reason]] };
}

function withBranch(
  model: OrderModel,
  { transaction }: Contender,
  state: string,
  refusal: string | null = null,
): OrderModel {
  return { ...model, branches: { ...model.branches, [transaction]: { state, refusal } } };
}

function withCloseBegun(model: OrderModel, cause: CloseCause): OrderModel {
  const nameOf = (number: number): string => `${model.namespace}/close-${model.orderId}-${number}`;
  let closes = model.closes + 1;
  // Somebody has made a transaction of this name before it was begun.
  while (nameOf(closes) in model.branches) closes += 1;
  const closing = nameOf(closes);
  return withCreation({ ...model, closes, closing }, closing, cause);
}

function withCreation(model: OrderModel, transaction: string, cause: string | null): OrderModel {
  return transaction in model.creations ? model : { ...model, creations: { ...model.creations, [transaction]: cause } };
}

function withoutCreation(model: OrderModel, { transaction }: Contender): OrderModel {
  const isIts = ([name]: readonly [string, string | null]): boolean => name === transaction;
  return {
    ...model,
    ended: { ...model.ended, ...Object.fromEntries(Object.entries(model.creations).filter(isIts)) },
    creations: Object.fromEntries(Object.entries(model.creations).filter(([name]) => name !== transaction)),
  };
}
