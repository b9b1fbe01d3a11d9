/**
 * Closing orders: the scanner that finds those whose time to pay is over, and the customer who withdraws one.
 *
 * 1. The order's mark (which close, counted) and the outbox row of the close's creation are written in one database transaction;
 *    a new close begins only once the last one has ended. It lies in the namespace of the order's creation.
 * 2. Before anything is closed the payment service is asked, once for a whole round and for a bounded time: what was captured is applied
 *    instead, and what may be paid any moment is held off for a while (judge-overdue.ts).
 * 3. Any number of replicas may scan: each takes orders that no other one holds. A round takes a limited number, so that a backlog
 *    (a payment provider that was away, a service that was down) drains evenly instead of all at once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import type { Registry } from 'prom-client';
import { databaseGauges, inTransaction, sqlFile, type Log } from '../../kit/src/index.ts';
import { besides, payName } from '../../protocol/src/index.ts';
import type { Creation } from './creation/creation.ts';
import type { Relay } from './creation/relay.ts';
import { FIRST_REPEAT_SECONDS } from './creation/schedule.ts';
import { lockOrder, type HeldOrder } from './held-order.ts';
import { judgeOverdue, type CapturedPayment, type OverdueVerdict } from './payments/judge-overdue.ts';
import { openPayment } from './payments/open-payment.ts';
import type { KnownPayment, PaymentLookup } from './payments/payment-lookup.ts';

const FIND_OVERDUE = { name: 'find-overdue', text: sqlFile(import.meta.url, '../sql/find-overdue.sql') };
const LOCK_OVERDUE = { name: 'lock-overdue', text: sqlFile(import.meta.url, '../sql/lock-overdue.sql') };
const LOOK_AGAIN = { name: 'look-again', text: sqlFile(import.meta.url, '../sql/look-again.sql') };
const ENDED_ATTEMPTS = { name: 'ended-attempts', text: sqlFile(import.meta.url, '../sql/ended-attempts.sql') };
const CLOSABLE = sqlFile(import.meta.url, '../sql/closable.sql');
const OPEN_CLOSES = { name: 'open-closes', text: sqlFile(import.meta.url, '../sql/open-closes.sql') };
const COUNT_FAILING_CLOSES = sqlFile(import.meta.url, '../sql/count-failing-closes.sql');
const AWAIT_CLOSE = sqlFile(import.meta.url, '../sql/await-close.sql');

const SCAN_MS = 1_000;
/** With SCAN_MS the closes a replica begins per second at most: a third of what an API server on two cores takes. */
const CLOSES_PER_SCAN_MAX = 50;
/** How late the end of an open payment is seen; shorter, and every order that is held off is asked about all the time. */
const LOOK_AGAIN_SECONDS = 2;

export interface ScannerOptions {
  readonly pool: Pool;
  readonly relay: Pick<Relay, 'nudge'>;
  readonly payments: Pick<PaymentLookup, 'ofOrders'>;
  /** How long an open payment, or a payment service that is away, may hold off a close. */
  readonly graceSeconds: number;
  readonly log: Log;
}

export function registerClosesGauge(metrics: Registry, pool: Pool, log: Log): void {
  const count = async (): Promise<number> =>
    (await pool.query<{ readonly orders: number }>(COUNT_FAILING_CLOSES)).rows[0]?.orders ?? 0;
  databaseGauges(metrics, log, count, [
    {
      name: 'ordertx_order_closes_failing',
      help: 'Orders whose closes have come to nothing three times and more: their stock stays frozen, and someone must look.',
      set: (gauge, orders) => gauge.set(orders),
    },
  ]);
}

/** Scans until it is closed. A round that fails is logged; the next one does its work. */
export function startClosing(options: ScannerOptions): { close(): Promise<void> } {
  const stop = new AbortController();
  const running = scanUntil(stop.signal, options);
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

async function scanUntil(signal: AbortSignal, options: ScannerOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      await closeOverdue(options);
    } catch (error) {
      options.log.error({ err: error }, 'orders that are overdue could not be looked for');
    }
    // Replicas that were started together should not scan together.
    await delay(SCAN_MS * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
  }
}

interface OverdueRow {
  readonly order_id: string;
  readonly transaction: string;
  readonly withdrawn: boolean;
  readonly closes: number;
  readonly overdue_seconds: number;
}

async function closeOverdue(options: ScannerOptions): Promise<void> {
  const { pool, relay, graceSeconds } = options;
  const { rows } = await pool.query<OverdueRow>({ ...FIND_OVERDUE, values: [CLOSES_PER_SCAN_MAX] });
  if (rows.length === 0) return;
  const payments = await paymentsOf(options, rows);
  const verdicts = rows.map(({ order_id: orderId, overdue_seconds: overdueSeconds, withdrawn, closes }) => {
    const known = payments?.filter((payment) => payment.orderId === orderId);
    return { orderId, verdict: judgeOverdue({ withdrawn, closes, overdueSeconds, payments: known }, graceSeconds) };
  });
  const idsOf = (...kinds: readonly OverdueVerdict['kind'][]): readonly string[] =>
    verdicts.filter(({ verdict }) => kinds.includes(verdict.kind)).map(({ orderId }) => orderId);
  for (const creation of await closeAll(pool, idsOf('close'))) relay.nudge(creation);
  for (const { orderId, verdict } of verdicts) {
    if (verdict.kind !== 'pay') continue;
    for (const creation of await payInstead(pool, orderId, verdict.captured)) relay.nudge(creation);
  }
  const later = idsOf('hold', 'pay');
  if (later.length > 0) await pool.query({ ...LOOK_AGAIN, values: [later, LOOK_AGAIN_SECONDS] });
}

/** Those whose transactions have not ended here; undefined where the payment service does not say. */
async function paymentsOf(
  { pool, payments, log }: Pick<ScannerOptions, 'pool' | 'payments' | 'log'>,
  orders: readonly Pick<OverdueRow, 'order_id' | 'transaction'>[],
): Promise<readonly KnownPayment[] | undefined> {
  const asked = await payments.ofOrders(orders.map(({ order_id: orderId }) => orderId));
  if (asked.kind === 'unavailable') {
    log.warn({ why: asked.why }, 'nobody says whether orders that are to be closed have been paid');
    return undefined;
  }
  const creations = new Map(orders.map(({ order_id: orderId, transaction }) => [orderId, transaction]));
  const attemptOf = ({ orderId, paymentId }: KnownPayment) => besides(creations.get(orderId) ?? '', payName(paymentId));
  const captured = asked.payments.filter(({ status }) => status === 'SUCCEEDED').map(attemptOf);
  if (captured.length === 0) return asked.payments;
  const { rows } = await pool.query<{ readonly transaction: string }>({ ...ENDED_ATTEMPTS, values: [captured] });
  const ended = new Set(rows.map(({ transaction }) => transaction));
  return asked.payments.filter((payment) => !ended.has(attemptOf(payment) ?? ''));
}

async function closeAll(pool: Pool, overdue: readonly string[]): Promise<readonly Creation[]> {
  if (overdue.length === 0) return [];
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ readonly order_id: string }>({ ...LOCK_OVERDUE, values: [overdue] });
    if (rows.length === 0) return [];
    return openCloses(client, { orderIds: rows.map(({ order_id }) => order_id), withdrawn: false });
  });
}

/** The creations of what was not under way already. */
async function payInstead(
  pool: Pool,
  orderId: string,
  captured: readonly CapturedPayment[],
): Promise<readonly Creation[]> {
  return inTransaction(pool, async (client) => {
    const order = await lockOrder(client, orderId);
    if (order?.status !== 'PENDING_PAYMENT') return [];
    const creations: Creation[] = [];
    for (const payment of captured) {
      const creation = await openPayment(client, order, payment);
      if (creation !== undefined) creations.push(creation);
    }
    return creations;
  });
}

interface Closes {
  readonly orderIds: readonly string[];
  /** By their customers, who wait for the end. */
  readonly withdrawn: boolean;
  readonly traceparent?: string;
}

/** Of orders that this database transaction has locked. */
async function openCloses(
  client: PoolClient,
  { orderIds, withdrawn, traceparent }: Closes,
): Promise<readonly Creation[]> {
  const values = [orderIds, withdrawn, traceparent, withdrawn, FIRST_REPEAT_SECONDS];
  const { rows } = await client.query<Creation>({ ...OPEN_CLOSES, values });
  return rows;
}

export type Withdrawal =
  /** Its close is begun, or was already. */
  | { readonly kind: 'closing'; readonly transaction: string; readonly creation: Creation | undefined }
  | { readonly kind: 'closed'; readonly transaction: string }
  /** Money for it has come in: it is being applied, and nothing is closed. */
  | { readonly kind: 'paid'; readonly creations: readonly Creation[] }
  /** Not possible in this status. */
  | { readonly kind: 'wrong-status'; readonly status: HeldOrder['status'] }
  | { readonly kind: 'unknown' };

export interface WithdrawOptions {
  readonly pool: Pool;
  readonly payments: PaymentLookup;
  readonly log: Log;
}

/** Nudge the relay with the creation, if there is one, once this has resolved. */
export async function withdrawOrder(
  options: WithdrawOptions,
  orderId: string,
  traceparent: string,
): Promise<Withdrawal> {
  const { pool } = options;
  const captured = await capturedOf(options, orderId);
  if (captured.length > 0) return { kind: 'paid', creations: await payInstead(pool, orderId, captured) };
  return inTransaction(pool, async (client) => {
    const order = await lockOrder(client, orderId);
    if (order === undefined) return { kind: 'unknown' };
    const { status, closing } = order;
    if (closing !== null && status === 'CLOSED') return { kind: 'closed', transaction: closing };
    if (closing !== null && (status === 'CLOSING' || status === 'PENDING_PAYMENT')) {
      await client.query(AWAIT_CLOSE, [orderId, closing]);
      return { kind: 'closing', transaction: closing, creation: undefined };
    }
    if (status !== 'PENDING_PAYMENT') return { kind: 'wrong-status', status };
    const [creation] = await openCloses(client, { orderIds: [orderId], withdrawn: true, traceparent });
    if (creation === undefined) throw new Error(`order ${orderId} is gone while it is locked`);
    return { kind: 'closing', transaction: creation.transaction, creation };
  });
}

/** What was captured for an order that would be closed over it now. */
async function capturedOf(options: WithdrawOptions, orderId: string): Promise<readonly CapturedPayment[]> {
  const { rows } = await options.pool.query<Pick<OverdueRow, 'order_id' | 'transaction'>>(CLOSABLE, [orderId]);
  if (rows.length === 0) return [];
  const payments = await paymentsOf(options, rows);
  const verdict = judgeOverdue({ withdrawn: true, closes: 0, overdueSeconds: 0, payments }, 0);
  return verdict.kind === 'pay' ? verdict.captured : [];
}
