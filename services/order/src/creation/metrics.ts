/**
 * What an operator must see of the creation outbox. No metric is labelled by order or transaction.
 */
import { Counter, type Registry } from 'prom-client';
import { databaseGauges, type Log } from '../../../kit/src/index.ts';
import type { EndedCreations } from './ended.ts';
import type { CreationOutbox } from './outbox.ts';
import type { CreateResult } from './transaction-api.ts';

export interface RelayMetrics {
  sent(result: CreateResult['kind'] | 'given-up'): void;
}

export function relayMetrics(registry: Registry): RelayMetrics {
  const sent = new Counter({
    name: 'ordertx_order_creations_total',
    help: 'Attempts to create an order transaction, by result: created, exists, refused, namespace-gone, unavailable; and given-up.',
    labelNames: ['result'],
    registers: [registry],
  });
  return { sent: (result) => sent.inc({ result }) };
}

export function registerOutboxGauges(registry: Registry, outbox: Pick<CreationOutbox, 'count'>, log: Log): void {
  databaseGauges(registry, log, () => outbox.count(), [
    {
      name: 'ordertx_order_creation_outbox_rows',
      help: 'Creations whose order branch has not ended, by state: waiting, refused (by the API server, or their namespace is gone), given-up (after a week).',
      labelNames: ['state'],
      set(gauge, { waiting, refused, givenUp }) {
        gauge.set({ state: 'waiting' }, waiting);
        gauge.set({ state: 'refused' }, refused);
        gauge.set({ state: 'given-up' }, givenUp);
      },
    },
    {
      name: 'ordertx_order_creation_outbox_oldest_seconds',
      help: 'Age of the oldest creation whose order branch has not ended; 0 without one.',
      set: (gauge, { oldestSeconds }) => gauge.set(oldestSeconds),
    },
  ]);
}

export function againMetrics(
  registry: Registry,
  ended: Pick<EndedCreations, 'count'>,
  log: Log,
): { sent(result: CreateResult['kind']): void } {
  const sent = new Counter({
    name: 'ordertx_order_creations_again_total',
    help: 'Attempts to create once more what had ended, by result: created, exists, refused, namespace-gone, unavailable.',
    labelNames: ['result'],
    registers: [registry],
  });
  databaseGauges(registry, log, () => ended.count(), [
    {
      name: 'ordertx_order_ended_creations_due',
      help: 'Ended creations that were asked for (`creations again`) and are not made yet, by state: waiting, failing.',
      labelNames: ['state'],
      set(gauge, { due, failing }) {
        gauge.set({ state: 'waiting' }, due - failing);
        gauge.set({ state: 'failing' }, failing);
      },
    },
  ]);
  return { sent: (result) => sent.inc({ result }) };
}
