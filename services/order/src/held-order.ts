/**
 * The order row decides between pay and close, and who is first.
 *
 * A row is locked, then judged by what it says, then moved; everything in one database transaction. The judgements are total pure
 * functions of the row and of what is asked:
 *
 * 1. Only PENDING_PAYMENT can be taken, and one transaction takes it. Whoever comes while another one holds the order, or has won,
 *    is refused for good (409), so that no two wait for each other.
 * 2. What has been done for the very same payment or close is no second one: it is tried, and nothing changes.
 * 3. An order that is still INIT is neither: ask again later.
 * 4. Of closes one is under way at a time, from when this service has begun it. One that it has not begun is none.
 * 5. A transaction is the order's only under its own name in the namespace of the order's creation: any other changes nothing,
 *    whatever its payload says.
 */
import type { PoolClient } from 'pg';
import { sqlFile, type Later, type Refused, type Tried } from '../../kit/src/index.ts';
import { besides, closeNumberOf, FOREIGN_ATTEMPT, nameIn, payName } from '../../protocol/src/index.ts';
import type { OrderStatus } from './orders.ts';

const LOCK_ORDER = { name: 'lock-order', text: sqlFile(import.meta.url, '../sql/lock-order.sql') };
const MOVE_ORDER = { name: 'move-order', text: sqlFile(import.meta.url, '../sql/move-order.sql') };
const END_CREATION = { name: 'end-creation', text: sqlFile(import.meta.url, '../sql/end-creation.sql') };
const ACCEPTED_ORDER = { name: 'accepted-order', text: sqlFile(import.meta.url, '../sql/accepted-order.sql') };

export interface HeldOrder {
  readonly orderId: string;
  /** `<namespace>/<name>` of its creation: all its transactions lie in this namespace. */
  readonly transaction: string;
  readonly status: OrderStatus;
  readonly userId: string;
  readonly totalCents: number;
  /** `<namespace>/<name>` of the transaction at work, while PAYING or CLOSING. */
  readonly heldBy: string | null;
  readonly paymentId: string | null;
  /** How many closes have been begun, the one under way included. */
  readonly closes: number;
  /** The close that has not ended, or has closed it. */
  readonly closing: string | null;
}

export type Verdict =
  /** It is free: take it. */
  | { readonly kind: 'take' }
  /** Done before, for the same payment or close. */
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'later'; readonly detail: string };

export const NO_SUCH_ORDER = { kind: 'refused', detail: 'there is no such order' } as const satisfies Verdict;
const FOREIGN: Verdict = { kind: 'refused', detail: FOREIGN_ATTEMPT };
const ANOTHER_USERS: Verdict = { kind: 'refused', detail: "the order is another user's" };
const STILL_BEING_CREATED: Verdict = { kind: 'later', detail: 'the order is still being created' };
const ASK_AGAIN_SECONDS = 1;

export interface PaymentAsked {
  readonly transaction: string;
  readonly paymentId: string;
  /** Who gets the points for it. */
  readonly userId: string;
  readonly amountCents: number;
}

export function judgePayment(order: HeldOrder, asked: PaymentAsked): Verdict {
  const { status, userId, totalCents, heldBy, paymentId } = order;
  if (asked.transaction !== besides(order.transaction, payName(asked.paymentId))) return FOREIGN;
  if (paymentId === asked.paymentId || heldBy === asked.transaction) return { kind: 'done' };
  switch (status) {
    case 'PENDING_PAYMENT': {
      if (asked.userId !== userId) return ANOTHER_USERS;
      if (asked.amountCents === totalCents) return { kind: 'take' };
      const detail = `the order costs ${totalCents} cents, and the payment is of ${asked.amountCents}`;
      return { kind: 'refused', detail };
    }
    case 'INIT':
      return STILL_BEING_CREATED;
    case 'PAYING':
      return { kind: 'refused', detail: 'another payment of the order is under way' };
    case 'PAID':
    case 'SHIPPED':
    case 'RECEIVED':
      return { kind: 'refused', detail: 'the order is paid already, by another payment' };
    case 'CLOSING':
      return { kind: 'refused', detail: 'the order is being closed' };
    case 'CLOSED':
      return { kind: 'refused', detail: 'the order is closed' };
    case 'CANCELLED':
      return { kind: 'refused', detail: 'the order was cancelled' };
  }
}

export function judgeClose(order: HeldOrder, transaction: string): Verdict {
  const { orderId, status, heldBy, closing } = order;
  const name = nameIn(transaction);
  if (transaction !== besides(order.transaction, name) || closeNumberOf(name, orderId) === 0) return FOREIGN;
  switch (status) {
    case 'PENDING_PAYMENT':
      if (closing === transaction) return { kind: 'take' };
      if (closing === null) return { kind: 'refused', detail: 'the order service has not begun this close' };
      return { kind: 'refused', detail: 'another close of the order is under way' };
    case 'INIT':
      return STILL_BEING_CREATED;
    case 'CLOSING':
      if (heldBy === transaction) return { kind: 'done' };
      return { kind: 'refused', detail: 'the order is being closed already' };
    case 'CLOSED':
      if (closing === transaction) return { kind: 'done' };
      return { kind: 'refused', detail: 'the order is closed already' };
    case 'PAYING':
      return { kind: 'refused', detail: 'the order is being paid' };
    case 'PAID':
    case 'SHIPPED':
    case 'RECEIVED':
      return { kind: 'refused', detail: 'the order is paid' };
    case 'CANCELLED':
      return { kind: 'refused', detail: 'the order was cancelled' };
  }
}

/** Whether the order is paid, and by this transaction's payment. */
export function hasPaid({ transaction: created, paymentId }: HeldOrder, transaction: string): boolean {
  return paymentId !== null && transaction === besides(created, payName(paymentId));
}

/** As note-failing-close.sql counts: someone was told to look. */
const CLOSES_FAILED_MIN = 3;

/** Whether its closes had come to nothing often enough to be told of, so that its end has to be told as well. */
export function hadFailingCloses({ closes, closing }: Pick<HeldOrder, 'closes' | 'closing'>): boolean {
  return closes - (closing === null ? 0 : 1) >= CLOSES_FAILED_MIN;
}

/** What a try is answered that does not take the order. */
export function answerOf(verdict: Exclude<Verdict, { readonly kind: 'take' }>): Tried | Refused | Later {
  switch (verdict.kind) {
    case 'done':
      return { kind: 'tried' };
    case 'refused':
      return verdict;
    case 'later':
      return { ...verdict, retryAfterSeconds: ASK_AGAIN_SECONDS };
  }
}

/**
 * Holds the row until the database transaction ends. An order that is accepted is INIT also while it has no row, and then nothing
 * is held. Undefined for an order that nobody placed.
 */
export async function lockOrder(client: PoolClient, orderId: string): Promise<HeldOrder | undefined> {
  // Between the first two looks the row may come and what was accepted go; a third look then finds it.
  return (
    (await read(client, LOCK_ORDER, orderId)) ??
    (await read(client, ACCEPTED_ORDER, orderId)) ??
    (await read(client, LOCK_ORDER, orderId))
  );
}

interface OrderRow {
  readonly order_id: string;
  readonly transaction: string;
  readonly status: OrderStatus;
  readonly user_id: string;
  readonly total_cents: number;
  readonly held_by: string | null;
  readonly payment_id: string | null;
  readonly closes: number;
  readonly closing: string | null;
}

async function read(
  client: PoolClient,
  statement: { readonly name: string; readonly text: string },
  orderId: string,
): Promise<HeldOrder | undefined> {
  const { rows } = await client.query<OrderRow>({ ...statement, values: [orderId] });
  const [row] = rows;
  if (row === undefined) return undefined;
  const { order_id, user_id: userId, total_cents: totalCents, held_by: heldBy, payment_id: paymentId, ...others } = row;
  return { orderId: order_id, userId, totalCents, heldBy, paymentId, ...others };
}

export interface Move {
  readonly status: OrderStatus;
  readonly heldBy?: string;
  readonly paymentId?: string;
  /** For the history, in words; left out where the status says it all. */
  readonly reason?: string;
}

/** Of an order that this database transaction has locked. */
export async function moveOrder(client: PoolClient, orderId: string, move: Move): Promise<void> {
  const { status, heldBy, paymentId, reason } = move;
  const { rowCount } = await client.query({ ...MOVE_ORDER, values: [orderId, status, heldBy, paymentId, reason] });
  if (rowCount !== 1) throw new Error(`order ${orderId} is gone while it is locked`);
}

/** This service's branch has ended: the creation is repeated no more (T10), and whoever waits for it is told. */
export async function endCreation(client: PoolClient, transaction: string): Promise<void> {
  await client.query({ ...END_CREATION, values: [transaction] });
}
