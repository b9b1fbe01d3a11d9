/**
 * What everybody on the streams measures, by the same names: a process may be sender and consumer at once.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import { BoundedLabel } from '../../metrics/src/bounded-label.ts';
import type { Receipt } from '../../protocol/src/index.ts';

/** Why a receipt did not count. */
export type Dropped = 'malformed' | 'unproven';

/** What cannot be done just now. */
export type Doing = 'publish' | 'read receipts' | 'send receipts' | 'read messages';

export interface BrokerMetrics {
  trouble(doing: Doing, ill: boolean): void;
  receiptDropped(why: Dropped): void;
  /** @param attempt counted from 1 */
  published(stream: string, attempt: number, result: PublicationResult): void;
  received(receipt: Receipt): void;
}

/** `still-there`: its last entry had not been ended by its consumer, so it was not added again. */
export type PublicationResult = 'added' | 'still-there' | 'failed';

/** Flows name streams, and receipts consumers: far more than these is nonsense. */
const STREAMS_MAX = 100;

const known = new WeakMap<Registry, BrokerMetrics>();

export function brokerMetrics(registry: Registry): BrokerMetrics {
  const before = known.get(registry);
  if (before !== undefined) return before;
  const registers = [registry];
  const trouble = new Gauge({
    name: 'ordertx_broker_trouble',
    help: 'What this process cannot do at Redis just now (1): publish, read receipts, send receipts, read messages. The log says why.',
    labelNames: ['doing'],
    registers,
  });
  const dropped = new Counter({
    name: 'ordertx_receipts_dropped_total',
    help: 'Receipts that did not count: malformed (no receipt), unproven (without the token of the message; somebody else wrote it, or it answers what a former process sent).',
    labelNames: ['why'],
    registers,
  });
  const publications = new Counter({
    name: 'ordertx_message_publications_total',
    help: 'Publications of messages by stream, attempt (first, or again: its receipt is missing) and result: added, still-there (its last entry waits for its consumer), failed (Redis did not take it).',
    labelNames: ['stream', 'attempt', 'result'],
    registers,
  });
  const receipts = new Counter({
    name: 'ordertx_message_receipts_total',
    help: 'Receipts that came back, by consumer and result: delivered, refused, failed (best effort).',
    labelNames: ['consumer', 'result'],
    registers,
  });
  const [streams, consumers] = [new BoundedLabel(STREAMS_MAX), new BoundedLabel(STREAMS_MAX)];
  const metrics: BrokerMetrics = {
    trouble: (doing, ill) => trouble.set({ doing }, ill ? 1 : 0),
    receiptDropped: (why) => dropped.inc({ why }),
    published: (stream, attempt, result) =>
      publications.inc({ stream: streams.of(stream), attempt: attempt > 1 ? 'again' : 'first', result }),
    received: ({ consumer, result }) => receipts.inc({ consumer: consumers.of(consumer), result }),
  };
  known.set(registry, metrics);
  return metrics;
}
