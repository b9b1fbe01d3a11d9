/** The limit holds, is fair, and loses no place to those who gave up waiting. */
import { expect, test } from '@jest/globals';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { settle } from './manual-clock.ts';

const never = new AbortController().signal;

test('lets in so many at once, and the others in the order they came', async () => {
  const limit = new ConcurrencyLimit(2);
  const order: number[] = [];
  const releases = [await limit.acquire(never), await limit.acquire(never)];
  for (const index of [1, 2, 3])
    void limit.acquire(never).then((release) => (order.push(index), releases.push(release)));
  await settle();
  expect({ order: [...order], active: limit.active, waiting: limit.waiting }).toEqual({
    order: [],
    active: 2,
    waiting: 3,
  });
  releases.shift()!();
  await settle();
  expect(order).toEqual([1]);
  releases.shift()!();
  releases.shift()!();
  await settle();
  expect(order).toEqual([1, 2, 3]);
  expect(limit.active).toBe(2);
});

test('a place given back twice is one place', async () => {
  const limit = new ConcurrencyLimit(1);
  const release = await limit.acquire(never);
  release();
  release();
  await limit.acquire(never);
  void limit.acquire(never);
  expect({ active: limit.active, waiting: limit.waiting }).toEqual({ active: 1, waiting: 1 });
});

test('who gives up waiting is passed over', async () => {
  const limit = new ConcurrencyLimit(1);
  const release = await limit.acquire(never);
  const abort = new AbortController();
  const givesUp = limit.acquire(abort.signal);
  const staysOn = limit.acquire(never);
  abort.abort(new Error('no longer needed'));
  await expect(givesUp).rejects.toThrow('no longer needed');
  release();
  (await staysOn)();
  expect({ active: limit.active, waiting: limit.waiting }).toEqual({ active: 0, waiting: 0 });
});

test('an aborted signal is not let in, even where there is room', async () => {
  const limit = new ConcurrencyLimit(1);
  await expect(limit.acquire(AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
  expect(limit.active).toBe(0);
});

test('a larger limit lets waiting ones in at once; a smaller one is reached as places are given back', async () => {
  const limit = new ConcurrencyLimit(1);
  const releases = [await limit.acquire(never)];
  for (let i = 0; i < 3; i += 1) void limit.acquire(never).then((release) => releases.push(release));
  limit.resize(3);
  await settle();
  expect(limit.active).toBe(3);
  limit.resize(1);
  releases.shift()!();
  releases.shift()!();
  await settle();
  expect({ active: limit.active, waiting: limit.waiting }).toEqual({ active: 1, waiting: 1 });
});

test('a limit that lets nobody in is a mistake', () => {
  expect(() => new ConcurrencyLimit(0)).toThrow(RangeError);
});
