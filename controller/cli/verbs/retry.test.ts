/** What a stored copy says to a retry request: an answer is told as one, and a silence only once nobody waits any longer. */
import { describe, expect, test } from '@jest/globals';
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { BROKER_AWAY } from '../../src/transaction/outcome.ts';
import { RETRY_ANNOTATION } from '../../src/transaction/requests.ts';
import { retry } from './retry.ts';

const TOKEN = '2026-11-22T23:15:00.000Z 1a2b3c4d';
const LATER = '2026-11-22T23:16:00Z';
const SILENT = 'its consumer has sent no receipt: is it running? read its log';
const TOLD = `the message lock-wms is not delivered: ${SILENT}`;

type Message = NonNullable<OrderTransactionStatus['messages']>[number];

function stored(message: Partial<Message>, more: Partial<OrderTransactionStatus> = {}): OrderTransaction {
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { name: 'create-o1', namespace: 'shop', annotations: { [RETRY_ANNOTATION]: TOKEN } },
    spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend: false, cancelRequested: false },
    status: {
      ...{ phase: 'Delivering', decision: 'Confirm', waitingFor: 'lock-wms', message: TOLD, lastHandledRetryAt: TOKEN },
      branches: [{ name: 'order', state: 'Confirmed' }],
      messages: [{ name: 'lock-wms', delivery: 'Reliable', state: 'Pending', attempts: 7, ...message }],
      ...more,
    },
  };
}

const asked = stored({}, { lastHandledRetryAt: '' });
const silent = { lastError: SILENT };
const published = { lastError: SILENT, nextAttemptTime: LATER };

describe('a message that is published again', () => {
  test.each([
    ['has just been made due', silent],
    ['has been published, and its consumer may still answer', published],
  ])('and %s, is waited for', (_, message) => {
    expect(retry.judge(stored(message), asked)).toBeUndefined();
  });

  test.each([
    ['never written down', silent],
    ['and counted', published],
  ])('and has no receipt, %s, still fails once nobody waits any longer', (_, message) => {
    expect(retry.judgeLate?.(stored(message), asked)).toEqual({ result: 'still failing', sentence: TOLD });
  });

  test('and is refused again, or not taken by Redis, is told at once', () => {
    for (const message of [
      { state: 'Refused', lastError: 'no such order', nextAttemptTime: LATER } as const,
      { lastError: BROKER_AWAY, nextAttemptTime: LATER },
    ]) {
      expect(retry.judge(stored(message), asked)).toMatchObject({ result: 'still failing' });
    }
  });
});

test('what the controller has not taken yet has no answer, however long it takes', () => {
  const untaken = stored(published, { lastHandledRetryAt: '' });
  expect(retry.judge(untaken, asked)).toBeUndefined();
  expect(retry.judgeLate?.(untaken, asked)).toBeUndefined();
});

test('what goes well by then, only slowly, is not said to fail', () => {
  const slow = stored({ nextAttemptTime: LATER }, { waitingFor: '', message: '' });
  expect(retry.judgeLate?.(slow, asked)).toBeUndefined();
});

test('what has ended is settled, of what is gone nobody knows', () => {
  expect(retry.judge(stored({ state: 'Delivered' }, { phase: 'Succeeded' }), asked)).toMatchObject({
    ...{ result: 'settled', sentence: 'Succeeded' },
  });
  expect(retry.judge(undefined, asked)).toMatchObject({ result: 'too late' });
});
