/** Prefer: wait, as RFC 7240 writes it. */
import { expect, test } from '@jest/globals';
import { preferredWaitSeconds } from './prefer.ts';

test.each<[string, number]>([
  ['wait=10', 10],
  ['wait=0', 0],
  ['WAIT=10', 10],
  [' wait = 10 ', 10],
  ['wait="10"', 10],
  [String.raw`wait="1\0"`, 10],
  ['wait=10; foo="bar, wait=3"', 10],
  ['respond-async, wait=10', 10],
  ['foo="a, wait=3", wait=10', 10],
  ['return=minimal,wait=10', 10],
])('%s asks for %i seconds', (prefer, seconds) => {
  expect(preferredWaitSeconds(prefer)).toBe(seconds);
});

test('of several waits the first counts, also when it is of no use', () => {
  expect(preferredWaitSeconds('wait=5, wait=20')).toBe(5);
  expect(preferredWaitSeconds('wait=soon, wait=20')).toBeUndefined();
});

test('a longer wait than 30 seconds is 30 seconds', () => {
  expect(preferredWaitSeconds('wait=31')).toBe(30);
  expect(preferredWaitSeconds(`wait=${'9'.repeat(400)}`)).toBe(30);
});

test.each([
  undefined,
  '',
  'respond-async',
  'wait',
  'wait=',
  'wait=""',
  'wait=-1',
  'wait=1.5',
  'wait=0x10',
  'waiter=5',
  'x="wait=5',
  '"wait=5"',
])('%s asks for no wait', (prefer) => {
  expect(preferredWaitSeconds(prefer)).toBeUndefined();
});

test('a hostile header is read in no time', () => {
  const startedMs = performance.now();
  for (const part of ['"', '\\"', 'a=', ',', ' ', 'wait=', '; '])
    preferredWaitSeconds(part.repeat(16_000 / part.length));
  expect(performance.now() - startedMs).toBeLessThan(500);
});
