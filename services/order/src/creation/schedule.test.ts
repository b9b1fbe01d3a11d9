/** Delays of a creation grow, are capped and are spread. */
import { expect, test } from '@jest/globals';
import {
  FIRST_REPEAT_SECONDS,
  GIVEN_UP_AFTER_SECONDS,
  namespaceGoneSeconds,
  refusedSeconds,
  REPEAT_SECONDS_MAX,
  retrySeconds,
} from './schedule.ts';

const ALMOST_ONE = 1 - Number.EPSILON;

test('delays after failures double up to a cap, and never overflow', () => {
  const delays = [1, 2, 3, 4, 5, 6, 7, 8, 1_000, 100_000].map((failures) => retrySeconds(failures, ALMOST_ONE));
  expect(delays.map((seconds) => Math.round(seconds * 10) / 10)).toEqual([
    0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15, 15, 15,
  ]);
});

test('what has no namespace is sent again soon at first, as at an installation, and hardly ever when it stays away', () => {
  expect(namespaceGoneSeconds(1, ALMOST_ONE)).toBe(retrySeconds(1, ALMOST_ONE));
  expect(namespaceGoneSeconds(12, 0)).toBe(REPEAT_SECONDS_MAX / 2);
});

test('at least half of a delay is certain', () => {
  expect(retrySeconds(8, 0)).toBe(7.5);
  expect(refusedSeconds(0)).toBe(REPEAT_SECONDS_MAX / 2);
});

test('what was refused waits longer than what failed, and a happy order is never sent twice', () => {
  expect(refusedSeconds(0)).toBeGreaterThan(retrySeconds(1_000, ALMOST_ONE));
  expect(FIRST_REPEAT_SECONDS).toBeGreaterThanOrEqual(10);
  expect(GIVEN_UP_AFTER_SECONDS).toBe(7 * 24 * 60 * 60);
});
