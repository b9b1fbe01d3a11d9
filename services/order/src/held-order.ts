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
 */
import type { PoolClient } from 'pg';
import { sqlFile } from '../../kit/src/index.ts';
import type { OrderStatus } from './orders.ts';

const LOCK_ORDER = { name: 'lock-order', text: sqlFile(import.meta.url, '../sql/lock-order.sql') };
const MOVE_ORDER = { name: 'move-order', text: sqlFile(import.meta.url, '../sql/move-order.sql') };
const END_CREATION = { name: 'end-creation', text: sqlFile(import.meta.url, '../sql/end-creation.sql') };
const IS_ACCEPTED = sqlFile(import.meta.url, '../sql/is-accepted.sql');

export interface HeldOrder {
  readonly orderId: string;
  readonly status: OrderStatus;
  readonly totalCents: number;
  /** `<namespace>/<name>` of the transaction at work, while PAYING or CLOSING. */
  readonly heldBy: string | null;
  readonly paymentId: string | null;
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

export interface PaymentAsked {
  readonly transaction: string;
  readonly paymentId: string;
  readonly amountCents: number;
}

export function judgePayment(order: HeldOrder, asked: PaymentAsked): Verdict {
  const { orderId, status, totalCents, heldBy, paymentId } = order;
  if (paymentId === asked.paymentId || heldBy === asked.transaction) return { kind: 'done' };
  if (asked.amountCents !== totalCents) {
    const detail = `order ${orderId} costs ${totalCents} cents, and the payment is of ${asked.amountCents}`;
    return { kind: 'refused', detail };
  }
  switch (status) {
    case 'PENDING_PAYMENT':
      return { kind: 'take' };
    case 'INIT':
      return { kind: 'later', detail: `order ${orderId} is not ready to be paid yet` };
    case 'PAYING':
      return { kind: 'refused', detail: `another payment of order ${orderId} is under way` };
    case 'PAID':
    case 'SHIPPED':
    case 'RECEIVED':
      return { kind: 'refused', detail: `order ${orderId} is paid already, by another payment` };
    case 'CLOSING':
      return { kind: 'refused', detail: `order ${orderId} is being closed` };
    case 'CLOSED':
      return { kind: 'refused', detail: `order ${orderId} is closed` };
    case 'CANCELLED':
      return { kind: 'refused', detail: `order ${orderId} was cancelled` };
  }
}

export function judgeClose({ orderId, status, heldBy, closing }: HeldOrder, transaction: string): Verdict {
  switch (status) {
    case 'PENDING_PAYMENT':
      return { kind: 'take' };
    case 'INIT':
      return { kind: 'later', detail: `order ${orderId} has not come to its end of creation yet` };
    case 'CLOSING':
      if (heldBy === transaction) return { kind: 'done' };
      return { kind: 'refused', detail: `order ${orderId} is being closed already` };
    case 'CLOSED':
      if (closing === transaction) return { kind: 'done' };
      return { kind: 'refused', detail: `order ${orderId} is closed already` };
    case 'PAYING':
      return { kind: 'refused', detail: `order ${orderId} is being paid` };
    case 'PAID':
    case 'SHIPPED':
    case 'RECEIVED':
      return { kind: 'refused', detail: `order ${orderId} is paid` };
    case 'CANCELLED':
      return { kind: 'refused', detail: `order ${orderId} was cancelled` };
  }
}

/** Holds the row until the database transaction ends. Undefined for an order that has none (yet). */
export async function lockOrder(client: PoolClient, orderId: string): Promise<HeldOrder | undefined> {
  const { rows } = await client.query<{
    readonly order_id: string;
    readonly status: OrderStatus;
    readonly total_cents: number;
    readonly held_by: string | null;
    readonly payment_id: string | null;
    readonly closing: string | null;
  }>({ ...LOCK_ORDER, values: [orderId] });
  const [row] = rows;
  if (row === undefined) return undefined;
  const { order_id, status, total_cents: totalCents, held_by: heldBy, payment_id: paymentId, closing } = row;
  return { orderId: order_id, status, totalCents, heldBy, paymentId, closing };
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

/** Whether it was accepted and its own row is not there yet: it will be, or is recorded as cancelled. */
export async function isAccepted(client: PoolClient, orderId: string): Promise<boolean> {
  const { rowCount } = await client.query(IS_ACCEPTED, [orderId]);
  return (rowCount ?? 0) > 0;
}

/** This service's branch has ended: the creation is repeated no more (T10), and whoever waits for it is told. */
export async function endCreation(client: PoolClient, transaction: string): Promise<void> {
  await client.query({ ...END_CREATION, values: [transaction] });
}
