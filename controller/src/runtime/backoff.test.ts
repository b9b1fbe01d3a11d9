/** Delays grow, stay under the cap, and are spread by the share that is random. */
import { expect, test } from '@jest/globals';
import { backoffMs } from './backoff.ts';

const policy = { initialMs: 100, maxMs: 1_000, factor: 2, jitter: 0 };

test('without jitter the delay doubles up to the cap', () => {
  expect([1, 2, 3, 4, 5, 6].map((attempt) => backoffMs(policy, attempt, 0.5))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
});

test('the random share is taken off, so the cap is never exceeded', () => {
  const half = { ...policy, jitter: 0.5 };
  expect(backoffMs(half, 1, 0)).toBe(50);
  expect(backoffMs(half, 1, 0.999)).toBeLessThan(100);
  expect(backoffMs(half, 50, 0.999)).toBeLessThanOrEqual(1_000);
});

test('no number of attempts overflows', () => {
  expect(backoffMs(policy, 1e6, 0)).toBe(1_000);
});
