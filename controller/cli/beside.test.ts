/** What is in no incident: holds with who waits for them, and what nobody has touched. */
import { expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { Beside, unattendedSentence } from './beside.ts';

const CREATED_MS = Date.parse('2026-03-01T12:00:00Z');
const LATE_MS = CREATED_MS + 121_000;
const FLOW = {
  ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow' },
  metadata: { name: 'create-order', namespace: 'shop' },
  spec: { timeoutSeconds: 30, stuckAfterSeconds: 60, ttlSecondsAfterFinished: 300, participants: [] },
} as unknown as TransactionFlow;

function transaction(status?: OrderTransaction['status'], suspend = false): OrderTransaction {
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction' },
    metadata: { name: 'create-o1', namespace: 'shop', creationTimestamp: '2026-03-01T12:00:00Z' },
    spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend, cancelRequested: false },
    ...(status && { status }),
  };
}

const STUCK = {
  type: 'Stuck',
  status: 'True',
  reason: 'TakingTooLong',
  message: 'it takes too long',
  lastTransitionTime: '2026-03-01T12:01:00Z',
} as const;

function untouched(of: OrderTransaction, nowMs: number, flow: TransactionFlow = FLOW): number {
  const beside = new Beside([flow]);
  beside.look(of, nowMs);
  return beside.untouched;
}

test.each([
  ['never written to', transaction(), LATE_MS, 1],
  ['decided, and nothing since', transaction({ phase: 'Confirming', decision: 'Confirm' }), LATE_MS, 1],
  ['young', transaction(), LATE_MS - 2_000, 0],
  ['Stuck', transaction({ phase: 'Trying', conditions: [STUCK] }), LATE_MS, 0],
  ['failing', transaction({ phase: 'Trying', waitingFor: 'inventory' }), LATE_MS, 0],
  ['on hold', transaction({ phase: 'Trying', message: 'on hold: x', waitingFor: 'inventory' }), LATE_MS, 0],
  ['suspended', transaction({}, true), LATE_MS, 0],
  ['ended', transaction({ phase: 'Succeeded', decision: 'Confirm' }), LATE_MS, 0],
])('one that is %s', (_, of, nowMs, count) => {
  expect(untouched(of, nowMs)).toBe(count);
});

test('late is by its flow’s stuckAfterSeconds, and the sentence says where to look', () => {
  const patient: TransactionFlow = { ...FLOW, spec: { ...FLOW.spec, stuckAfterSeconds: 600 } };
  expect(untouched(transaction(), LATE_MS, patient)).toBe(0);
  expect(unattendedSentence(0, 'every')).toBe(
    'no controller holds its Lease any more: is a controller running? kubectl ordertx check',
  );
  expect(unattendedSentence(0, ['west'])).toMatch(/^no controller of west holds its Lease any more: /);
  expect(unattendedSentence(2, [])).toMatch(/^2 transactions .* is a controller running\? kubectl ordertx check$/);
});

test('a hold is told with its reason and how many wait, where the flow is meant', () => {
  const held: TransactionFlow = { ...FLOW, spec: { ...FLOW.spec, hold: { inventory: 'stock count' } } };
  const beside = new Beside([held]);
  beside.look(transaction({ phase: 'Trying', message: 'on hold: x', waitingFor: 'inventory' }), LATE_MS);
  const hold = { namespace: 'shop', flow: 'create-order', target: 'inventory', reason: 'stock count', waiting: 1 };
  expect(beside.holds({ flow: 'create-order', target: 'inventory' })).toEqual([hold]);
  expect(beside.holds({ target: 'order' })).toEqual([]);
  beside.forget();
  expect(beside.holds({})).toEqual([{ ...hold, waiting: 0 }]);
});
