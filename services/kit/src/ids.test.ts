/** Ids are labels, sort by age and are never the same. */
import { expect, test } from '@jest/globals';
import { orderIdSchema } from '../../protocol/src/index.ts';
import { newId } from './ids.ts';

test('is an id that every participant takes', () => {
  expect(orderIdSchema.safeParse(newId('o')).success).toBe(true);
});

test('of a later millisecond sorts later', () => {
  const instants = [0, 1, 31, 32, 1_023, 1_024, 1_700_000_000_000, 1_700_000_000_001, 4_102_444_800_000];
  const ids = instants.map((instant) => newId('o', instant));
  expect(ids.toSorted()).toEqual(ids);
});

test('of one millisecond are all different', () => {
  const ids = Array.from({ length: 10_000 }, () => newId('o', 1_700_000_000_000));
  expect(new Set(ids).size).toBe(ids.length);
});
