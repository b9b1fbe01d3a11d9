/** What `describe` says of the deadline, whatever else keeps the transaction from going on. */
import { expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { forecast } from './next-step.ts';

const CREATED_MS = Date.parse('2026-03-01T12:00:00Z');
const DEADLINE = 'at 2026-03-01T12:00:30.000Z';
const FLOW: TransactionFlow = {
  ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow' },
  metadata: { name: 'create-order', namespace: 'shop', finalizers: ['ordertx.dev/in-use'] },
  spec: {
    ...{ timeoutSeconds: 30, stuckAfterSeconds: 60, ttlSecondsAfterFinished: 300 },
    retry: { initialDelaySeconds: 0.2, maxDelaySeconds: 60, factor: 2 },
    participants: ['order', 'inventory'].map((name) => ({
      ...{ name, path: `/tcc/${name}`, timeoutSeconds: 3, maxConcurrency: 64 },
      endpoint: { url: 'http://127.0.0.1:1' },
    })),
  },
};
const HELD: TransactionFlow = { ...FLOW, spec: { ...FLOW.spec, hold: { inventory: 'stock count' } } };

function undecided(suspend: boolean): OrderTransaction {
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction' },
    metadata: { name: 'create-o1', namespace: 'shop', creationTimestamp: '2026-03-01T12:00:00Z', generation: 1 },
    spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend, cancelRequested: false },
    status: {
      phase: 'Trying',
      branches: [
        { name: 'order', state: 'Tried', attempts: 1 },
        { name: 'inventory', state: 'Untried', attempts: 1 },
      ],
    },
  };
}

test.each([
  ['runs', false, FLOW, 10_000, `${DEADLINE} (in 20 s), unless something is answered before: decides Cancel`],
  ['is overdue', false, FLOW, 90_000, 'decides Cancel (DeadlineExceeded)'],
  ['is suspended', true, FLOW, 10_000, `the deadline is ${DEADLINE} (in 20 s) and runs on while it is suspended`],
  [
    'is suspended and overdue',
    true,
    FLOW,
    90_000,
    `the deadline was ${DEADLINE} (60s ago): once it is resumed it is cancelled`,
  ],
  [
    'waits for a hold',
    false,
    HELD,
    10_000,
    `${DEADLINE} (in 20 s), unless something is answered before: decides Cancel`,
  ],
  ['has no flow', false, undefined, 10_000, 'its deadline counts from its creation (2026-03-01T12:00:00.000Z)'],
  ['has no flow and is suspended', true, undefined, 10_000, 'it does not decide while the flow is missing'],
])('of one that %s it says when the deadline is', (_, suspend, flow, afterMs, sentence) => {
  expect(forecast(undecided(suspend), flow, CREATED_MS + afterMs).join('\n')).toContain(sentence);
});
