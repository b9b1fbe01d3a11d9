/** One point and one growth for each whole 100 cents. */
import { expect, test } from '@jest/globals';
import { TOTAL_CENTS_MAX } from '../../protocol/src/index.ts';
import { rewardOf } from './reward.ts';

test.each([
  [0, 0],
  [1, 0],
  [99, 0],
  [100, 1],
  [199, 1],
  [200, 2],
  [2_599, 25],
  [TOTAL_CENTS_MAX - 1, TOTAL_CENTS_MAX / 100 - 1],
  [TOTAL_CENTS_MAX, TOTAL_CENTS_MAX / 100],
])('%i cents are worth %i', (amountCents, each) => {
  expect(rewardOf(amountCents)).toEqual({ points: each, growth: each });
});
