/**
 * Closing orders: the scanner that finds those whose time to pay is over, and the customer who withdraws one.
 *
 * 1. The order's mark (which close, counted) and the outbox row of the close's creation are written in one database transaction;
 *    a new close begins only once the last one has ended. It lies in the namespace of the order's creation.
 * 2. Any number of replicas may scan: each takes orders that no other one holds. A round takes a limited number, so that a backlog
 *    (a payment provider that was away, a service that was down) drains evenly instead of all at once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { inTransaction, sqlFile, type Log } from '../../kit/src/index.ts';
import type { Creation } from './creation/creation.ts';
import type { Relay } from './creation/relay.ts';
import { FIRST_REPEAT_SECONDS } from './creation/schedule.ts';
import { lockOrder, type HeldOrder } from './held-order.ts';

const LOCK_OVERDUE = { name: 'lock-overdue', text: sqlFile(import.meta.url, '../sql/lock-overdue.sql') };
const OPEN_CLOSES = { name: 'open-closes', text: sqlFile(import.meta.url, '../sql/open-closes.sql') };
const AWAIT_CLOSE = sqlFile(import.meta.url, '../sql/await-close.sql');

const SCAN_MS = 1_000;
/** With SCAN_MS the closes a replica begins per second at most: a third of what an API server on two cores takes. */
const CLOSES_PER_SCAN_MAX = 50;

export interface ScannerOptions {
  readonly pool: Pool;
  readonly relay: Pick<Relay, 'nudge'>;
  readonly log: Log;
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

async function closeOverdue({ pool, relay }: ScannerOptions): Promise<void> {
  const opened = await inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ readonly order_id: string }>({
      ...LOCK_OVERDUE,
      values: [CLOSES_PER_SCAN_MAX],
    });
    if (rows.length === 0) return [];
    return openCloses(client, { orderIds: rows.map(({ order_id }) => order_id), withdrawn: false });
  });
  for (const creation of opened) relay.nudge(creation);
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
  /** Not possible in this status. */
  | { readonly kind: 'wrong-status'; readonly status: HeldOrder['status'] }
  | { readonly kind: 'unknown' };

/** Nudge the relay with the creation, if there is one, once this has resolved. */
export async function withdrawOrder(pool: Pool, orderId: string, traceparent: string): Promise<Withdrawal> {
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
