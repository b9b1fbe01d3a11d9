/**
 * Kubernetes Events on transactions, for `kubectl describe`: what a person should know and no program depends on.
 *
 * Fire and forget. When thousands of transactions are in trouble at once the API server has better things to do than
 * to take thousands of Events: so they wait in a short queue, go out at a bounded rate, and what does not fit is dropped
 * and counted. The same sentence about the same object is one Event with a count.
 */
import { randomUUID } from 'node:crypto';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionEvents } from '../reconcile/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { PacedQueue } from '../runtime/paced-queue.ts';
import { eventName, eventObject, lacksRight, microTime } from './event-object.ts';
import { EVENTS, pathOf } from './stored-object.ts';
import type { Transport } from './transport.ts';

export interface ApiEventsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** The replica that reports. */
  readonly identity: string;
  readonly onDropped?: (reason: 'queue-full' | 'not-taken') => void;
  /** Called each time one is dropped for want of a right, with the API server's sentence. */
  readonly onForbidden?: (sentence: string) => void;
}

/** One series: the same sentence about the same object. */
interface Series {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  count: number;
  readonly endsMs: number;
  writtenMs: number;
}

type Job =
  | { readonly kind: 'create'; readonly series: Series; readonly body: object }
  | { readonly kind: 'repeat'; readonly series: Series };

/** client-go's, too: longer than a storm, shorter than the hour that Events are kept. */
const SERIES_MS = 6 * 60_000;
/** A repetition is news once a minute. */
const REPEAT_WRITTEN_EVERY_MS = 60_000;
/** More series than this are not told apart from new ones: memory counts for more than a doubled Event. */
const SERIES_MAX = 4_096;
const QUEUE_JOBS_MAX = 256;
/** Ten in a second: an Event costs the API server as much as a status write. */
const PAUSE_MS = 100;

export class ApiEvents implements TransactionEvents {
  readonly #options: ApiEventsOptions;
  readonly #series = new Map<string, Series>();
  readonly #queue: PacedQueue<Job>;

  constructor(options: ApiEventsOptions) {
    this.#options = options;
    this.#queue = new PacedQueue({
      ...{ clock: options.clock, pauseMs: PAUSE_MS, jobsMax: QUEUE_JOBS_MAX },
      perform: (job) => this.#send(job),
      onFull: ({ series }) => this.#dropped(series, 'queue-full'),
    });
  }

  warn(transaction: OrderTransaction, reason: string, note: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    const id = `${transaction.metadata.uid ?? ''} ${reason} ${note}`;
    const known = this.#series.get(id);
    if (known !== undefined && nowMs < known.endsMs) {
      known.count += 1;
      if (nowMs - known.writtenMs < REPEAT_WRITTEN_EVERY_MS) return;
      known.writtenMs = nowMs;
      this.#queue.push({ kind: 'repeat', series: known });
      return;
    }
    const { namespace = '' } = transaction.metadata;
    const name = eventName(transaction, randomUUID());
    const series: Series = { id, namespace, name, count: 1, endsMs: nowMs + SERIES_MS, writtenMs: nowMs };
    this.#series.delete(id);
    this.#series.set(id, series);
    this.#forgetOldest();
    const { clock, identity } = this.#options;
    const told = { type: 'Warning', reason, action: 'Reconcile', note, identity, nowMs: clock.now() } as const;
    this.#queue.push({ kind: 'create', series, body: eventObject(transaction, name, told) });
  }

  /** Drops what still waits: nothing depends on it. */
  stop(): void {
    this.#queue.stop();
  }

  async #send(job: Job): Promise<void> {
    const { transport } = this.#options;
    const { namespace, name, count } = job.series;
    const answer =
      job.kind === 'create'
        ? await transport.request({ method: 'POST', path: pathOf(EVENTS, namespace), body: job.body })
        : await transport.request({
            method: 'PATCH',
            path: pathOf(EVENTS, namespace, name),
            body: { series: { count, lastObservedTime: microTime(this.#options.clock.now()) } },
          });
    if (answer.kind === 'ok') return;
    const forbidden = lacksRight(answer);
    if (forbidden !== undefined) this.#options.onForbidden?.(forbidden);
    this.#dropped(job.series, 'not-taken');
  }

  /** The next time the sentence is said it is a new Event. */
  #dropped({ id }: Series, reason: 'queue-full' | 'not-taken'): void {
    this.#series.delete(id);
    this.#options.onDropped?.(reason);
  }

  /** A Map keeps the order of insertion, so the first ones are the oldest. */
  #forgetOldest(): void {
    for (const id of this.#series.keys()) {
      if (this.#series.size <= SERIES_MAX) return;
      this.#series.delete(id);
    }
  }
}
