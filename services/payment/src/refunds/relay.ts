/**
 * The refund relay: orders the provider to give back what waits for it, again and again, until it has taken it.
 *
 * 1. What is due is taken by putting off when it is due next: several replicas take different rows, no lock is held over a call of
 *    the provider, and a replica that dies with what it took only delays it.
 * 2. The provider may get an order more than once, under the same key; a refund counts as given once it has said so.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import { databaseGauges, sqlFile, type Log } from '../../../kit/src/index.ts';
import type { RefundOrder, RefundProvider } from './provider.ts';

const CLAIM_REFUNDS = { name: 'claim-refunds', text: sqlFile(import.meta.url, '../../sql/claim-refunds.sql') };
const REFUND_TAKEN = { name: 'refund-taken', text: sqlFile(import.meta.url, '../../sql/refund-taken.sql') };
const REFUND_FAILED = { name: 'refund-failed', text: sqlFile(import.meta.url, '../../sql/refund-failed.sql') };
const COUNT_REFUNDS = sqlFile(import.meta.url, '../../sql/count-refunds.sql');

/** Enough for the end of an outage to be short, few enough that a provider does not take it for an attack. */
const ORDERS_AT_ONCE_MAX = 8;
const POLL_MS = 1_000;
/** How long a refund may still lie after the provider is back; shorter, and one that is away for days is asked without need. */
const PAUSE_SECONDS_MAX = 300;

export interface RefundRelayOptions {
  readonly pool: Pool;
  readonly provider: RefundProvider;
  readonly metrics: Registry;
  readonly log: Log;
}

export class RefundRelay {
  readonly #options: RefundRelayOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #wake = new AbortController();

  /** Starts at once. */
  constructor(options: RefundRelayOptions) {
    this.#options = options;
    registerRefundGauges(options);
    this.#running = this.#run();
  }

  /** Something waits whose database transaction was committed just now. */
  nudge(): void {
    this.#wake.abort();
  }

  /** Takes nothing new and lets what is under way end. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const more = await this.#sendDue().catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'the refunds that wait could not be read');
        return false;
      });
      if (more) continue;
      const woken = AbortSignal.any([signal, this.#wake.signal]);
      await delay(POLL_MS * (0.75 + Math.random() / 2), undefined, { signal: woken }).catch(() => undefined);
    }
  }

  /** Whether it is worth to look again at once. */
  async #sendDue(): Promise<boolean> {
    const { pool } = this.#options;
    const { rows } = await pool.query<RefundRow>({ ...CLAIM_REFUNDS, values: [ORDERS_AT_ONCE_MAX, PAUSE_SECONDS_MAX] });
    const taken = await Promise.all(rows.map((row) => this.#send(orderOf(row))));
    return rows.length === ORDERS_AT_ONCE_MAX && taken.includes(true);
  }

  /** Resolves, never rejects: to whether the provider has taken it and that is kept. */
  async #send(order: RefundOrder): Promise<boolean> {
    const { pool, provider, log } = this.#options;
    const { paymentId, captureId } = order;
    try {
      const result = await provider.refund(order);
      if (result.kind === 'taken') {
        await pool.query({ ...REFUND_TAKEN, values: [paymentId, captureId] });
        return true;
      }
      log.warn({ paymentId, captureId, reason: result.reason }, 'the provider did not take a refund; it is sent again');
      await pool.query({ ...REFUND_FAILED, values: [paymentId, captureId, result.reason] });
    } catch (error) {
      log.error({ err: error, paymentId, captureId }, 'what became of a refund could not be kept; it is sent again');
    }
    return false;
  }
}

interface RefundRow {
  readonly payment_id: string;
  readonly capture_id: string;
  readonly amount_cents: number;
  readonly reason: string;
}

function orderOf({ payment_id, capture_id, amount_cents, reason }: RefundRow): RefundOrder {
  return { paymentId: payment_id, captureId: capture_id, amountCents: amount_cents, reason };
}

interface RefundCounts {
  readonly waiting: number;
  readonly failing: number;
  readonly oldest_seconds: number;
}

export function registerRefundGauges({
  pool,
  metrics,
  log,
}: Pick<RefundRelayOptions, 'pool' | 'metrics' | 'log'>): void {
  const count = async (): Promise<RefundCounts> => {
    const { rows } = await pool.query<RefundCounts>(COUNT_REFUNDS);
    return rows[0] ?? { waiting: 0, failing: 0, oldest_seconds: 0 };
  };
  databaseGauges(metrics, log, count, [
    {
      name: 'ordertx_payment_refunds_waiting',
      help: 'Refunds that the payment provider has not taken yet.',
      set: (gauge, { waiting }) => gauge.set(waiting),
    },
    {
      name: 'ordertx_payment_refunds_failing',
      help: 'Of those that wait, the ones that the provider was asked for in vain.',
      set: (gauge, { failing }) => gauge.set(failing),
    },
    {
      name: 'ordertx_payment_refunds_oldest_seconds',
      help: 'Age of the oldest refund that waits for the payment provider; 0 without one.',
      set: (gauge, { oldest_seconds: seconds }) => gauge.set(seconds),
    },
  ]);
}
