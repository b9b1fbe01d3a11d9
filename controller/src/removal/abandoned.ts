/**
 * Has those archived that people gave up and deleted before their end, with who did it and why.
 *
 * Nobody asks the controller before such a deletion, so it knows of those it heard of: one that is deleted while no controller runs, or
 * whose controller dies before the archive has answered, is in the audit log alone.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { backoffMs, type BackoffPolicy } from '../runtime/backoff.ts';
import { delay, type Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { AbandonedArchive } from './ports.ts';

export interface AbandonedOptions {
  readonly archive: AbandonedArchive;
  /** What the API server has under its name now: this object still, or not. */
  readonly isThere: (transaction: OrderTransaction) => Promise<boolean | 'unknown'>;
  readonly clock: Clock;
  /** What time it is for the API server. */
  readonly apiClock: { now(): number };
  readonly log: Log;
}

interface Gone {
  readonly transaction: OrderTransaction;
  readonly at: Date;
}

/** Up to 64 kB each. */
const QUEUE_MAX = 1_000;
const BACKOFF: BackoffPolicy = { initialMs: 500, maxMs: 30_000, factor: 2, jitter: 0.5 };

export class Abandoned {
  readonly #options: AbandonedOptions;
  readonly #queue: Gone[] = [];
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: AbandonedOptions) {
    this.#options = options;
  }

  /** One that was given up is not heard of any more. */
  gone(transaction: OrderTransaction): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#queue.length >= QUEUE_MAX) {
      this.#lost(transaction, 'too many wait to be archived');
      return;
    }
    this.#queue.push({ transaction, at: new Date(this.#options.apiClock.now()) });
    this.#running ??= this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    for (let next = this.#queue[0]; next !== undefined && !signal.aborted; next = this.#queue[0]) {
      if (await this.#archived(next)) {
        failures = 0;
        this.#queue.shift();
      } else {
        failures += 1;
        await delay(this.#options.clock, backoffMs(BACKOFF, failures, Math.random()), signal);
      }
    }
    this.#running = undefined;
  }

  /** Whether nothing is left to do for it. */
  async #archived({ transaction, at }: Gone): Promise<boolean> {
    const { archive, isThere } = this.#options;
    const found = await isThere(transaction);
    // It has ended all the same, and goes as all do that have.
    if (found === true) return true;
    if (found === 'unknown') return false;
    const result = await archive.keepAbandoned(transaction, at);
    if (result.kind === 'unavailable') return false;
    for (const [each, reason] of result.refused) this.#lost(each, reason);
    return true;
  }

  #lost({ metadata }: OrderTransaction, reason: string): void {
    const transaction = `${metadata.namespace ?? ''}/${metadata.name}`;
    this.#options.log.warn({ transaction, reason }, 'a transaction that was given up and deleted is not archived');
  }
}
