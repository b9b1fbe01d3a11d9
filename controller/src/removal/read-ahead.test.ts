/** Everything is taken once, by however many; one page is read ahead and no more; a failure is heard of, and nothing is left running. */
import { expect, test } from '@jest/globals';
import { ReadAhead } from './read-ahead.ts';

async function* pagesOf(sizes: readonly number[], read: number[], end = 'end'): AsyncGenerator<number[], string> {
  let first = 0;
  for (const [page, size] of sizes.entries()) {
    read.push(page);
    yield Array.from({ length: size }, (_, index) => first + index);
    first += size;
  }
  return end;
}

async function takeAll(items: ReadAhead<number, string>, takers: number): Promise<number[]> {
  const taken: number[] = [];
  const taker = async (): Promise<void> => {
    for (let next = await items.take(); next !== undefined; next = await items.take()) taken.push(next);
  };
  await Promise.all(Array.from({ length: takers }, taker));
  return taken;
}

test.each([1, 2, 7])('%i take everything once, over empty pages as well', async (takers) => {
  const items = new ReadAhead(pagesOf([3, 0, 0, 5, 1, 0], []));
  const taken = await takeAll(items, takers);
  expect(taken.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(await items.take()).toBeUndefined();
  expect(await items.close()).toBe('end');
});

test('the next page is read while one is taken from, and none behind it', async () => {
  const read: number[] = [];
  const items = new ReadAhead(pagesOf([2, 2, 2], read));
  expect(await items.take()).toBe(0);
  expect(read).toEqual([0, 1]);
  expect(await items.close()).toBeUndefined();
  expect(read).toEqual([0, 1]);
});

test('a page that cannot be read fails whoever takes from it, and no one before', async () => {
  const failing = async function* (): AsyncGenerator<number[], string> {
    yield [0];
    throw new Error('no page');
  };
  const items = new ReadAhead(failing());
  expect(await items.take()).toBe(0);
  await expect(items.take()).rejects.toThrow('no page');
  expect(await items.close()).toBeUndefined();
});
