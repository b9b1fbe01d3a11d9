/**
 * Which cells of the fence's table are counted, and as what.
 */
import { expect, test } from '@jest/globals';
import { OPERATIONS, type FenceState } from '../../../protocol/src/index.ts';
import { anomalyOf } from './anomalies.ts';
import type { FenceAnswer } from './answer.ts';

const DONE: FenceAnswer = { kind: 'done', state: 'Tried', body: null, replayed: false };

test.each([
  ['None', undefined, 'confirm-without-try', 'empty-rollback'],
  ['Tried', 'duplicate', undefined, undefined],
  ['Refused', 'duplicate', 'confirm-of-refused', undefined],
  ['Confirmed', 'duplicate', 'duplicate', 'cancel-after-confirm'],
  ['Cancelled', 'late-try', 'confirm-after-cancel', 'duplicate'],
] as const)('%s: try is %s, confirm %s, cancel %s', (stored, ...anomalies) => {
  expect(OPERATIONS.map((operation) => anomalyOf(stored, operation, DONE))).toEqual(anomalies);
});

test('another payload is that and nothing else, and what came to nothing yet is none', () => {
  const refused = { kind: 'refused', state: 'Tried', detail: '', code: 'payload-mismatch' } as const;
  const later = { kind: 'later', state: 'None', detail: '', retryAfterSeconds: 1 } as const;
  const stored: FenceState = 'Cancelled';
  expect(anomalyOf(stored, 'try', refused)).toBe('payload-mismatch');
  expect(anomalyOf(stored, 'try', later)).toBeUndefined();
});
