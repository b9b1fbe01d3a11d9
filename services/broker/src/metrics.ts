/**
 * What everybody on the streams measures, by the same names: a process may be sender and consumer at once.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Dropped } from './receipts.ts';

/** What cannot be done just now. */
export type Doing = 'publish' | 'read receipts' | 'send receipts' | 'read messages';

export interface BrokerMetrics {
  trouble(doing: Doing, ill: boolean): void;
  receiptDropped(why: Dropped): void;
}

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
  const metrics: BrokerMetrics = {
    trouble: (doing, ill) => trouble.set({ doing }, ill ? 1 : 0),
    receiptDropped: (why) => dropped.inc({ why }),
  };
  known.set(registry, metrics);
  return metrics;
}
