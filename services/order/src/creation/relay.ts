/**
 * The relay: creates the OrderTransaction of every row in the outbox, and goes on until the order's branch has ended (T10).
 *
 * 1. A fresh creation is sent at once by the replica that wrote it. Its row is not due for FIRST_REPEAT_SECONDS, so on the happy
 *    path, where the branch ends within that, a transaction costs one create and no further look at the outbox.
 * 2. What is due is taken by claiming: the row is put off before it is sent. Several replicas take different rows, no lock is held
 *    over a network call, and the claim is the look at the row's present state right before each creation.
 * 3. Fresh creations never take the last DUE_CREATES of the places, whatever they are of: what is due (retries, and orders that have
 *    queued for long) goes on however many come. Of fresh ones, payments and closes go before new orders, and have OTHERS_CREATES
 *    places that new orders never take.
 * 4. A fresh one that had to queue for longer than NUDGE_AGE_MS_MAX is left to the claim, which looks again.
 * 5. An answer that does not settle a creation postpones it; nothing is dropped. After GIVEN_UP_AFTER_SECONDS the row stays, for
 *    a person, and is sent no more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../kit/src/index.ts';
import { SpanKind, startSpan } from '../../../tracing/src/spans.ts';
import { toTransaction, type Creation } from './creation.ts';
import type { RelayMetrics } from './metrics.ts';
import type { Claimed, CreationOutbox } from './outbox.ts';
import { namespaceGoneSeconds, refusedSeconds, retrySeconds } from './schedule.ts';
import type { CreateResult, TransactionApi } from './transaction-api.ts';

/** More do not make the API server faster (about 200 creations a second on two cores), fewer leave it idle between answers. */
const CREATES_MAX = 32;
/** A quarter: an order that has queued for too long is made within four times the backlog's length. */
const DUE_CREATES = 8;
/** A payment that was begun just now finds a place also while new orders have taken theirs and are not answered. */
const OTHERS_CREATES = 4;
const FRESH_MAX = CREATES_MAX - DUE_CREATES;
const FRESH_ORDERS_MAX = FRESH_MAX - OTHERS_CREATES;
/** Bounds the memory a burst takes; what does not fit is sent by the relay after FIRST_REPEAT_SECONDS. */
const QUEUED_MAX = 10_000;
/** Well below FIRST_REPEAT_SECONDS, so that nobody else has looked at the row meanwhile. */
const NUDGE_AGE_MS_MAX = 7_000;
const POLL_MS = 1_000;

export interface RelayOptions {
  readonly outbox: Pick<CreationOutbox, 'claim' | 'postpone' | 'clearFailures'>;
  readonly api: TransactionApi;
  readonly metrics: RelayMetrics;
  readonly log: Log;
}

interface Queued {
  readonly creation: Creation;
  readonly sinceMs: number;
}

export class Relay {
  readonly #options: RelayOptions;
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** Of new orders. */
  readonly #orders: Queued[] = [];
  /** Of payments and closes. */
  readonly #others: Queued[] = [];
  readonly #polling: Promise<void>;
  /** Of what is under way, what was sent without a claim; and of that, new orders. */
  #freshUnderWay = 0;
  #freshOrdersUnderWay = 0;
  #apiServerAway = false;

  /** Starts at once. */
  constructor(options: RelayOptions) {
    this.#options = options;
    this.#polling = this.#poll();
  }

  /** Sends a creation whose row was committed just now; does not wait for it. */
  nudge(creation: Creation): void {
    const queue = creation.flow === 'create-order' ? this.#orders : this.#others;
    if (queue.length < QUEUED_MAX) queue.push({ creation, sinceMs: performance.now() });
    this.#startQueued();
  }

  /** Takes nothing new and lets what is under way end. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#polling;
    await Promise.all(this.#underWay);
  }

  #startQueued(): void {
    while (this.#freshUnderWay < FRESH_MAX && this.#underWay.size < CREATES_MAX && !this.#closing.signal.aborted) {
      const next = this.#others.shift() ?? this.#nextOrder();
      if (next === undefined) return;
      if (performance.now() - next.sinceMs > NUDGE_AGE_MS_MAX) continue;
      const { creation } = next;
      const order = creation.flow === 'create-order' ? 1 : 0;
      this.#freshUnderWay += 1;
      this.#freshOrdersUnderWay += order;
      void this.#start({ creation, failures: 0, expired: false }, () => {
        this.#freshUnderWay -= 1;
        this.#freshOrdersUnderWay -= order;
      });
    }
  }

  #nextOrder(): Queued | undefined {
    return this.#freshOrdersUnderWay < FRESH_ORDERS_MAX ? this.#orders.shift() : undefined;
  }

  /** Resolves, never rejects: to whether the creation is settled for now. */
  #start(claimed: Claimed, ended: () => void = () => undefined): Promise<boolean> {
    const sending = this.#send(claimed).catch((error: unknown) => {
      // The row was put off before it was sent, so nothing is lost: it will be due again.
      const { transaction } = claimed.creation;
      this.#options.log.error({ err: error, transaction }, 'the outcome of a creation could not be recorded');
      return false;
    });
    const task = sending.then(() => {
      this.#underWay.delete(task);
      ended();
      this.#startQueued();
    });
    this.#underWay.add(task);
    return sending;
  }

  async #send({ creation, failures, expired }: Claimed): Promise<boolean> {
    const { api, metrics, log } = this.#options;
    if (expired) {
      metrics.sent('given-up');
      log.error(
        { transaction: creation.transaction },
        'a creation was given up after a week; docs/operating/payment-given-up.md says what to do',
      );
      return false;
    }
    const { transaction, traceparent: parent } = creation;
    const span = startSpan('create OrderTransaction', {
      kind: SpanKind.CLIENT,
      parent,
      attributes: { 'ordertx.transaction': transaction, 'ordertx.flow': creation.flow },
    });
    // What becomes of it hangs below the creation that it came by.
    const result = await api.create(toTransaction({ ...creation, traceparent: span.traceparent ?? parent }));
    span.set({ 'ordertx.outcome': result.kind });
    span.end(result.kind === 'created' || result.kind === 'exists' ? undefined : { type: result.kind });
    metrics.sent(result.kind);
    return this.#record(creation, failures, result);
  }

  async #record({ transaction }: Creation, failures: number, result: CreateResult): Promise<boolean> {
    const { outbox, log } = this.#options;
    switch (result.kind) {
      case 'created':
      case 'exists':
        this.#noteApiServer(undefined);
        if (failures > 0) await outbox.clearFailures(transaction);
        return true;
      case 'refused': {
        const { error } = result;
        this.#noteApiServer(undefined);
        log.error({ transaction, error }, 'the API server refuses a creation; it is sent again now and then');
        await outbox.postpone(transaction, { seconds: refusedSeconds(Math.random()), refused: true, error });
        return false;
      }
      case 'namespace-gone': {
        const { error } = result;
        this.#noteApiServer(error);
        const seconds = namespaceGoneSeconds(failures + 1, Math.random());
        await outbox.postpone(transaction, { seconds, refused: true, error });
        return false;
      }
      case 'unavailable': {
        const { error } = result;
        this.#noteApiServer(error);
        const seconds = retrySeconds(failures + 1, Math.random());
        await outbox.postpone(transaction, { seconds, refused: false, error });
        return false;
      }
    }
  }

  /** One line when it goes away and one when it is back, however many orders wait for it. */
  #noteApiServer(error: string | undefined): void {
    const away = error !== undefined;
    if (away === this.#apiServerAway) return;
    this.#apiServerAway = away;
    const { log } = this.#options;
    if (away) log.warn({ error }, 'the API server takes no creations; they stay in the outbox and are sent again');
    else log.info('the API server takes creations again');
  }

  async #poll(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#sendDue().catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'the creation outbox could not be read');
      });
      // Replicas that were started together should not ask together.
      await delay(POLL_MS * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }

  /** Again at once only while that gets somewhere: an API server that is away is not asked in a loop. */
  async #sendDue(): Promise<void> {
    let worthwhile = true;
    while (worthwhile && !this.#closing.signal.aborted) {
      const free = CREATES_MAX - this.#underWay.size;
      if (free <= 0) return;
      const claimed = await this.#options.outbox.claim(free);
      const settled = await Promise.all(claimed.map((each) => this.#start(each)));
      worthwhile = claimed.length === free && settled.includes(true);
    }
  }
}
