/**
 * What a service measures of its messages. Types come from the handlers, never from what lay on the stream.
 */
import type { Pool } from 'pg';
import { Counter, Histogram, type Registry } from 'prom-client';
import { databaseGauges } from '../http/metrics.ts';
import type { Log } from '../log.ts';
import type { Backlog } from './group.ts';
import type { OutboxCounts } from './outbox.ts';
import { countUnanswerables } from './unanswerable.ts';

/** From one local database transaction to a provider that is slow. */
const HANDLING_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export type HandlingOutcome =
  'delivered' | 'replayed' | 'refused' | 'not-yet' | 'foreign' | 'conflict' | 'failed' | 'unknown';

export interface ConsumerMetrics {
  /** `type` is undefined for what is of no type that this service takes. */
  handled(type: string | undefined, outcome: HandlingOutcome, seconds: number): void;
  takenOver(entries: number): void;
}

export interface ConsumerMetricsOptions {
  readonly registry: Registry;
  /** The service's own. */
  readonly stream: string;
  readonly pool: Pool;
  /** Undefined while Redis does not say. */
  readonly backlog: () => Promise<Backlog | undefined>;
  readonly log: Log;
}

export function consumerMetrics({ registry, stream, pool, backlog, log }: ConsumerMetricsOptions): ConsumerMetrics {
  const registers = [registry];
  const handled = new Counter({
    name: 'ordertx_messages_handled_total',
    help: 'Messages by what became of them: delivered, replayed, refused, not-yet, foreign (from somebody who may not send it: answered without an effect), conflict (another message was handled under its id: one of the two is forged), failed (best effort), unknown (a fault of ours or of the database).',
    labelNames: ['stream', 'type', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'ordertx_message_handling_seconds',
    help: 'How long handling a message took, its receipt included.',
    labelNames: ['stream', 'type'],
    buckets: HANDLING_BUCKETS_SECONDS,
    registers,
  });
  const takenOver = new Counter({
    name: 'ordertx_messages_taken_over_total',
    help: 'Messages taken over from a consumer that had read them and did not end them.',
    labelNames: ['stream'],
    registers,
  });
  databaseGauges(registry, log, () => countUnanswerables(pool), [
    {
      name: 'ordertx_messages_unanswerable',
      help: 'Entries in the table ordertx_unanswerable: what lay on the stream and named nobody to tell of its refusal.',
      set: (gauge, entries) => gauge.set(entries),
    },
  ]);
  databaseGauges(registry, log, backlog, [
    {
      name: 'ordertx_inbox_waiting',
      help: 'Messages on the stream of this service that it has not ended; none while Redis does not say.',
      labelNames: ['stream'],
      set: (gauge, found) => (found === undefined ? gauge.reset() : gauge.set({ stream }, found.waiting)),
    },
    {
      name: 'ordertx_inbox_oldest_seconds',
      help: 'Age of the oldest of them since its publication; 0 without one.',
      labelNames: ['stream'],
      set: (gauge, found) => (found === undefined ? gauge.reset() : gauge.set({ stream }, found.oldestSeconds)),
    },
  ]);
  return {
    handled(type = 'none', outcome, took) {
      handled.inc({ stream, type, outcome });
      seconds.observe({ stream, type }, took);
    },
    takenOver: (entries) => takenOver.inc({ stream }, entries),
  };
}

export function outboxMetrics(registry: Registry, count: () => Promise<OutboxCounts>, log: Log): void {
  databaseGauges(registry, log, count, [
    {
      name: 'ordertx_outbox_waiting',
      help: 'Messages of this service that have no receipt yet.',
      set: (gauge, { waiting }) => gauge.set(waiting),
    },
    {
      name: 'ordertx_outbox_refused',
      help: 'Messages of this service that their consumer refused: parked until a person runs `outbox retry`.',
      set: (gauge, { refused }) => gauge.set(refused),
    },
    {
      name: 'ordertx_outbox_oldest_seconds',
      help: 'Age of the oldest message of this service that waits for its receipt; 0 without one.',
      set: (gauge, { oldestSeconds }) => gauge.set(oldestSeconds),
    },
  ]);
}
