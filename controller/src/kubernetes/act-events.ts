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
import type { Act } from '../transaction/acts.ts';
import { cut } from './events.ts';
import { EVENTS, pathOf } from './stored-object.ts';
import type { Transport } from './transport.ts';

export interface ActEventsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** The replica that reports. */
  readonly identity: string;
  readonly onDropped?: (reason: 'queue-full' | 'not-taken') => void;
}

interface Job {
  readonly path: string;
  readonly body: object;
}

/** Twenty in a second: ten thousand suspended at once are told within nine minutes, and cost the API server little meanwhile. */
const PACE_MS = 50;
/** About 2 kB each. */
const QUEUE_JOBS_MAX = 20_000;
const ATTEMPTS_MAX = 5;
const AGAIN_MS = 2_000;
/** With a dot and the digest it stays below the 253 of an object's name. */
const NAME_CHARS_MAX = 200;
const DIGEST_CHARS = 16;

export class ActEvents {
  readonly #options: ActEventsOptions;
  readonly #jobs: Job[] = [];
  readonly #stopping = new AbortController();
  #working = false;

  constructor(options: ActEventsOptions) {
    this.#options = options;
  }

  /** Fire and forget. */
  tell(transaction: OrderTransaction, act: Act): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#jobs.length >= QUEUE_JOBS_MAX) {
      this.#options.onDropped?.('queue-full');
      return;
    }
    const { namespace = '' } = transaction.metadata;
    this.#jobs.push({ path: pathOf(EVENTS, namespace), body: this.#bodyOf(transaction, act) });
    if (!this.#working) void this.#work();
  }

  /** Drops what still waits: a successor tells again what the stored status does not answer. */
  stop(): void {
    this.#stopping.abort();
    this.#jobs.length = 0;
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      await this.#send(job);
      await delay(this.#options.clock, PACE_MS, this.#stopping.signal);
    }
    this.#working = false;
  }

  async #send({ path, body }: Job): Promise<void> {
    const { transport, clock, onDropped } = this.#options;
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt += 1) {
      const answer = await transport.request({ method: 'POST', path, body });
      // 409: it is told already.
      if (answer.kind === 'ok' || (answer.kind === 'error' && answer.error.status === 409)) return;
      const isForGood = answer.kind === 'error' && answer.error.status < 500 && answer.error.status !== 429;
      if (isForGood || attempt === ATTEMPTS_MAX) {
        onDropped?.('not-taken');
        return;
      }
      await delay(clock, AGAIN_MS * attempt, this.#stopping.signal);
    }
  }

  #bodyOf(transaction: OrderTransaction, act: Act): object {
    const { apiVersion, kind, metadata } = transaction;
    const { namespace, name, uid } = metadata;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace, name: nameOf(transaction, act) },
      eventTime: new Date(this.#options.clock.now()).toISOString().replace('Z', '000Z'),
      type: 'Normal',
      reason: act.reason,
      action: 'Asked',
      note: cut(act.note),
      regarding: { apiVersion, kind, namespace, name, uid },
      reportingController: 'ordertx.dev/controller',
      reportingInstance: this.#options.identity,
    };
  }
}

function nameOf({ metadata }: OrderTransaction, { reason, id }: Act): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([metadata.uid, reason, id]))
    .digest('hex');
  // Cut, it may not end with what no part of a name ends with.
  const beginning = metadata.name.slice(0, NAME_CHARS_MAX).replace(/[-.]+$/, '');
  return `${beginning}.${digest.slice(0, DIGEST_CHARS)}`;
}
