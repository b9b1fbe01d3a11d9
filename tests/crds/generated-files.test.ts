/** What is generated is what `npm run generate` would write now. */
import { expect, test } from '@jest/globals';
import { generators, staleFiles } from '../../scripts/generate.ts';

test('every generated file is up to date', async () => {
  expect(generators.length).toBeGreaterThan(0);
  expect(await staleFiles()).toEqual([]);
});
