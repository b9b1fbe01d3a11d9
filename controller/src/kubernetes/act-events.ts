/**
 * Kubernetes Events for what people do to transactions. Each act is one Event whose name follows from the act, so that whoever tells
 * it again (another replica, this one after a restart) is answered that it is there.
 *
 * They go out one after the other at a bounded rate, apart from those for trouble: a person who suspends ten thousand must not keep an
 * alarm from being told. What the API server does not take is tried again for a while, then dropped and counted: no program depends on it.
 */
import { createHash } from 'node:crypto';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { delay, type Clock } from '../runtime/clock.ts';
import { PacedQueue } from '../runtime/paced-queue.ts';
import type { Act } from '../transaction/acts.ts';
import { eventName, eventObject, lacksRight } from './event-object.ts';
import { EVENTS, pathOf } from './stored-object.ts';
import type { Transport } from './transport.ts';

export interface ActEventsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** The replica that reports. */
  readonly identity: string;
  readonly onDropped?: (reason: 'queue-full' | 'not-taken') => void;
  /** Called each time one is dropped for want of a right, with the API server's sentence. */
  readonly onForbidden?: (sentence: string) => void;
}

interface Job {
  readonly path: string;
  readonly body: object;
}

/** Twenty in a second: ten thousand suspended at once are told within nine minutes, and cost the API server little meanwhile. */
const PAUSE_MS = 50;
/** About 2 kB each. */
const QUEUE_JOBS_MAX = 20_000;
const ATTEMPTS_MAX = 5;
const AGAIN_MS = 2_000;
const DIGEST_CHARS = 16;

export class ActEvents {
  readonly #options: ActEventsOptions;
  readonly #queue: PacedQueue<Job>;

  constructor(options: ActEventsOptions) {
    this.#options = options;
    this.#queue = new PacedQueue({
      ...{ clock: options.clock, pauseMs: PAUSE_MS, jobsMax: QUEUE_JOBS_MAX },
      perform: (job, stopping) => this.#send(job, stopping),
      onFull: () => options.onDropped?.('queue-full'),
    });
  }

  /** Fire and forget. */
  tell(transaction: OrderTransaction, act: Act): void {
    const { clock, identity } = this.#options;
    const { reason, note } = act;
    const told = { type: 'Normal', reason, action: 'Asked', note, identity, nowMs: clock.now() } as const;
    this.#queue.push({
      path: pathOf(EVENTS, transaction.metadata.namespace ?? ''),
      body: eventObject(transaction, nameOf(transaction, act), told),
    });
  }

  /** Drops what still waits: a successor tells again what the stored status does not answer. */
  stop(): void {
    this.#queue.stop();
  }

  async #send({ path, body }: Job, stopping: AbortSignal): Promise<void> {
    const { transport, clock, onDropped, onForbidden } = this.#options;
    for (let attempt = 1; !stopping.aborted; attempt += 1) {
      const answer = await transport.request({ method: 'POST', path, body });
      // 409: it is told already.
      if (answer.kind === 'ok' || (answer.kind === 'error' && answer.error.status === 409)) return;
      const isForGood = answer.kind === 'error' && answer.error.status < 500 && answer.error.status !== 429;
      if (isForGood || attempt === ATTEMPTS_MAX) {
        const forbidden = lacksRight(answer);
        if (forbidden !== undefined) onForbidden?.(forbidden);
        onDropped?.('not-taken');
        return;
      }
      await delay(clock, AGAIN_MS * attempt, stopping);
    }
  }
}

function nameOf(transaction: OrderTransaction, { reason, id }: Act): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([transaction.metadata.uid, reason, id]))
    .digest('hex');
  return eventName(transaction, digest.slice(0, DIGEST_CHARS));
}
