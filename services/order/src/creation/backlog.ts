/**
 * Whether so many orders wait already that a new one would only wait longer than its customer does.
 *
 * Orders that come faster than the API server takes transactions pile up in the creation outbox, and every one of them gets slower. So
 * beyond a limit new ones are turned away at once, while those that were accepted are carried through.
 *
 * The rows are counted once every LOOK_MS and not for every order; in between this replica counts what it accepts itself.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { Counter, type Registry } from 'prom-client';
import { sqlFile, type Log } from '../../../kit/src/index.ts';

const COUNT_BACKLOG = { name: 'count-backlog', text: sqlFile(import.meta.url, '../../sql/count-backlog.sql') };
/** With several replicas, each lets at most this long's orders too many in. */
const LOOK_MS = 250;

export interface BacklogOptions {
  readonly pool: Pool;
  /** Orders that may wait. */
  readonly ordersMax: number;
  readonly metrics: Registry;
  readonly log: Log;
}

export function shedCounter(metrics: Registry): Counter {
  return new Counter({
    name: 'ordertx_order_shed_total',
    help: 'Orders that were turned away with 503 because ORDER_BACKLOG_MAX others wait for their transaction already.',
    registers: [metrics],
  });
}

export class Backlog {
  readonly #options: BacklogOptions;
  readonly #closing = new AbortController();
  readonly #looking: Promise<void>;
  readonly #shed: Counter;
  #counted = 0;
  #acceptedSince = 0;
  #full = false;

  /** Starts looking at once. */
  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#shed = shedCounter(options.metrics);
    this.#looking = this.#look();
  }

  get isFull(): boolean {
    return this.#counted + this.#acceptedSince >= this.#options.ordersMax;
  }

  accepted(): void {
    this.#acceptedSince += 1;
  }

  shed(): void {
    this.#shed.inc();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { pool, ordersMax, log } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        const { rows } = await pool.query<{ readonly orders: number }>({ ...COUNT_BACKLOG, values: [ordersMax] });
        this.#counted = rows[0]?.orders ?? 0;
        // What was accepted while it was counted may be missing until the next look: a few too many, rather than one too few.
        this.#acceptedSince = 0;
        this.#say();
      } catch (error) {
        log.debug({ err: error }, 'the backlog could not be counted; the last count stands');
      }
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One line when it begins and one when it is over. */
  #say(): void {
    if (this.#full === this.isFull) return;
    this.#full = this.isFull;
    const { log, ordersMax } = this.#options;
    if (this.#full) log.warn({ ordersMax }, 'too many orders wait for their transaction; new ones are turned away');
    else log.info('new orders are accepted again');
  }
}
