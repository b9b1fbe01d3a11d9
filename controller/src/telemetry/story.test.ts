/** What the log says of a transaction, and what it keeps to itself. */
import { expect, test } from '@jest/globals';
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { story } from './story.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const WORDS = 'bea of Main Street 1 owes us 12';
const AT = '2026-11-22T23:15:00Z';

function transaction(status: OrderTransactionStatus): OrderTransaction {
  const annotations = { 'ordertx.dev/traceparent': `00-${TRACE_ID}-00f067aa0ba902b7-01` };
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', status },
    metadata: { name: 'create-o1', namespace: 'shop', creationTimestamp: AT, annotations },
    spec: {
      ...{ flow: 'create-order', orderId: 'o1', suspend: false, cancelRequested: false, resolutions: [] },
      payload: { userId: 'bea', secret: 'Pa55word' },
    },
  };
}

function told() {
  const lines: { level: string; fields: Readonly<Record<string, unknown>>; sentence: string }[] = [];
  const at = (level: string) => (fields: Readonly<Record<string, unknown>>, sentence: string) =>
    void lines.push({ level, fields, sentence });
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  const tell = story(log);
  return {
    lines,
    tell: (after: OrderTransactionStatus, before: OrderTransactionStatus = {}) =>
      tell(transaction(before), transaction(after)),
  };
}

const IDENTITY = { transaction: 'shop/create-o1', trace: TRACE_ID, flow: 'create-order', order: 'o1' };

test('a usual Confirm and its end are lines that nobody sees by default, a Cancel is one that everybody sees', () => {
  const { lines, tell } = told();
  tell({ decision: 'Confirm', decisionReason: 'AllTried', decidedAt: AT });
  tell({ decision: 'Confirm', phase: 'Succeeded', finishedAt: AT }, { decision: 'Confirm' });
  tell({ decision: 'Cancel', decisionReason: 'DeadlineExceeded', decidedAt: AT });
  expect(lines.map(({ level, fields }) => [level, fields])).toEqual([
    ['debug', { ...IDENTITY, decision: 'Confirm', reason: 'AllTried' }],
    ['debug', { ...IDENTITY, phase: 'Succeeded' }],
    ['info', { ...IDENTITY, decision: 'Cancel', reason: 'DeadlineExceeded' }],
  ]);
});

test('a trouble is a warning with its sentence', () => {
  const { lines, tell } = told();
  const status = { waitingFor: 'inventory', message: 'the try at inventory is not done: answered 503' };
  tell(status);
  tell({ ...status, message: 'the try at inventory is not done: answered 500' }, status);
  tell({ waitingFor: 'inventory', message: 'on hold: inventory (stock count)' });
  expect(lines).toEqual([
    {
      level: 'warn',
      fields: { ...IDENTITY, waitingFor: 'inventory', sentence: 'the try at inventory is not done: answered 503' },
      sentence: 'it cannot go on, and is tried again',
    },
  ]);
});

test.each<[string, OrderTransactionStatus]>([
  ['a participant that refuses', { branches: [{ name: 'inventory', state: 'Tried', lastError: `refused: ${WORDS}` }] }],
  ['a participant that refused the try', { branches: [{ name: 'inventory', state: 'Refused', lastError: WORDS }] }],
  [
    'a consumer that refuses',
    { messages: [{ name: 'points', delivery: 'Reliable', state: 'Refused', lastError: `member: ${WORDS}` }] },
  ],
])('the words of %s stay out of it', (_who, status) => {
  const { lines, tell } = told();
  const conditions = [
    {
      type: 'Stuck' as const,
      status: 'True' as const,
      reason: 'ConfirmRefused',
      message: WORDS,
      lastTransitionTime: AT,
    },
  ];
  for (const alarm of [{}, { conditions }])
    tell({ ...status, ...alarm, message: `not done: ${WORDS}`, waitingFor: 'inventory', decision: 'Cancel' });
  expect(lines).toHaveLength(4);
  expect(JSON.stringify(lines)).not.toContain(WORDS);
  expect(JSON.stringify(lines)).not.toContain('Pa55word');
});
