/**
 * What an operator must see of the creation outbox. No metric is labelled by order or transaction.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Log } from '../../../kit/src/index.ts';
import type { CreationOutbox } from './outbox.ts';
import type { CreateResult } from './transaction-api.ts';

export interface RelayMetrics {
  sent(result: CreateResult['kind'] | 'given-up'): void;
}

export function relayMetrics(registry: Registry): RelayMetrics {
  const sent = new Counter({
    name: 'ordertx_order_creations_total',
    help: 'Attempts to create an order transaction, by result: created, exists, refused, unavailable; and given-up.',
    labelNames: ['result'],
    registers: [registry],
  });
  return { sent: (result) => sent.inc({ result }) };
}

/** Read from the database at every scrape: all replicas say the same, so aggregate with max and not with sum. */
export function registerOutboxGauges(registry: Registry, outbox: CreationOutbox, log: Log): void {
  const rows = new Gauge({
    name: 'ordertx_order_creation_outbox_rows',
    help: 'Creations whose order branch has not ended, by state: waiting, refused (by the API server), given-up (after a week).',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      try {
        const counts = await outbox.count();
        this.set({ state: 'waiting' }, counts.waiting);
        this.set({ state: 'refused' }, counts.refused);
        this.set({ state: 'given-up' }, counts.givenUp);
        oldest.set(counts.oldestSeconds);
      } catch (error) {
        // A gap in the series says more than the last figure would, and the other metrics must still be served.
        rows.reset();
        oldest.reset();
        log.warn({ err: error }, 'the creation outbox could not be counted');
      }
    },
  });
  const oldest = new Gauge({
    name: 'ordertx_order_creation_outbox_oldest_seconds',
    help: 'Age of the oldest creation whose order branch has not ended; 0 without one.',
    registers: [registry],
  });
}
