/** What an answer, or none, says of the participant as a whole. */
import { expect, test } from '@jest/globals';
import { signOfLife } from './sign-of-life.ts';

test.each([
  ...[200, 201, 204, 299, 409, 425].map((status) => [status, 'alive'] as const),
  ...[199, 301, 400, 401, 403, 404, 408, 421, 429, 500, 502, 503, 504].map((status) => [status, 'failed'] as const),
])('an answer %d says: %s', (status, sign) => {
  expect(signOfLife({ kind: 'answered', answer: { status, headers: {} } })).toBe(sign);
});

test('no answer within its time is a failure, one given up by the controller says nothing', () => {
  expect(signOfLife({ kind: 'timedOut' })).toBe('failed');
  expect(signOfLife({ kind: 'aborted' })).toBe('nothing');
});

test.each([
  ['ECONNREFUSED', 'failed'],
  ['ECONNRESET', 'failed'],
  ['ENOTFOUND', 'failed'],
  // The controller's own want, not the participant's.
  ['EMFILE', 'nothing'],
  ['EADDRNOTAVAIL', 'nothing'],
])('a connection that ends with %s says: %s', (code, sign) => {
  expect(signOfLife({ kind: 'broken', error: Object.assign(new Error(code), { code }) })).toBe(sign);
});
