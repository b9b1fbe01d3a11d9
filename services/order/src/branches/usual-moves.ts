/**
 * How an order usually moves with its transactions, each in one statement: a try takes it for a payment or a close, a confirm lets it go
 * on and ends the creation. What is not usual is judged and moved step by step (held-order.ts), to the same end.
 */
import type { PoolClient } from 'pg';
import {
  joinedStatement,
  runAlone,
  sqlFile,
  usualCase,
  type StatementOutcome,
  type UsualCase,
} from '../../../kit/src/index.ts';
import type { HeldOrder } from '../held-order.ts';
import type { OrderStatus, Outcome } from '../orders.ts';

export interface Ended {
  readonly orderId: string;
  readonly outcome: Outcome;
  /** The process in which all wait who wait; null where that may be any. */
  readonly awaitedBy: string | null;
}

/** Told of an order's new status once it is committed, where somebody waits for it. */
export type Tell = (ended: Ended) => void;

export interface Confirmed extends StatementOutcome, Pick<HeldOrder, 'closes' | 'closing'> {
  /** Somebody waits for the end. */
  readonly awaited: boolean;
  readonly awaited_by: string | null;
}

const CONFIRM_ORDER = joinedStatement<Confirmed>(
  'confirm-order',
  sqlFile(import.meta.url, '../../sql/confirm-order.sql'),
  sqlFile(import.meta.url, '../../sql/likely-confirmed.sql'),
);
const TAKE_ORDER = joinedStatement(
  'take-order',
  sqlFile(import.meta.url, '../../sql/take-order.sql'),
  sqlFile(import.meta.url, '../../sql/likely-free.sql'),
);

export interface Confirmation {
  readonly orderId: string;
  readonly transaction: string;
  readonly from: OrderStatus;
  readonly to: OrderStatus;
  readonly paymentId?: string;
  /** Until it is closed unless it is paid. */
  readonly closeSeconds?: number;
  readonly reason?: string;
}

function valuesOf({
  orderId,
  transaction,
  from,
  to,
  paymentId,
  closeSeconds,
  reason,
}: Confirmation): readonly unknown[] {
  return [orderId, transaction, from, to, paymentId, closeSeconds, reason];
}

export function confirmUsually(confirmation: Confirmation, afterwards: (confirmed: Confirmed) => void): UsualCase {
  return usualCase(CONFIRM_ORDER, valuesOf(confirmation), afterwards);
}

export async function confirmAlone(client: PoolClient, confirmation: Confirmation): Promise<Confirmed> {
  return runAlone(client, CONFIRM_ORDER, valuesOf(confirmation));
}

export interface Taking {
  readonly orderId: string;
  readonly transaction: string;
  readonly to: OrderStatus;
  /** Both of a payment; a close has none. */
  readonly userId?: string;
  readonly amountCents?: number;
  readonly reason?: string;
}

export function takeUsually({ orderId, transaction, to, userId, amountCents, reason }: Taking): UsualCase {
  return usualCase(TAKE_ORDER, [orderId, transaction, to, amountCents, reason, userId]);
}
