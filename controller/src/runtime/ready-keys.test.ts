/** Whose turn it is: news before routine, and routine never kept out. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ReadyKeys, type Rank } from './ready-keys.ts';

function keysOf(ready: ReadyKeys, count = ready.size): string {
  return Array.from({ length: count }, () => ready.take()?.key).join(' ');
}

test('news goes before routine, and every fourth turn is routine', () => {
  const ready = new ReadyKeys();
  for (let number = 1; number <= 4; number += 1) ready.push(`r${String(number)}`, 'routine', 0);
  for (let number = 1; number <= 8; number += 1) ready.push(`n${String(number)}`, 'news', 0);
  expect(keysOf(ready)).toBe('n1 n2 n3 r1 n4 n5 n6 r2 n7 n8 r3 r4');
  expect(ready.take()).toBeUndefined();
});

test('news that had nobody to give way to is followed by more of it', () => {
  const ready = new ReadyKeys();
  for (let number = 1; number <= 5; number += 1) ready.push(`n${String(number)}`, 'news', 0);
  expect(keysOf(ready, 3)).toBe('n1 n2 n3');
  ready.push('r1', 'routine', 0);
  expect(keysOf(ready)).toBe('n4 n5 r1');
});

test('of a key that waits as routine there is news: it goes with the news, and has waited since it came', () => {
  const ready = new ReadyKeys();
  ready.push('a', 'routine', 1);
  ready.push('b', 'routine', 2);
  ready.push('c', 'news', 3);
  ready.promote('b');
  ready.promote('c');
  expect(ready.size).toBe(3);
  expect([ready.take(), ready.take(), ready.take()]).toEqual([
    { key: 'c', rank: 'news', sinceMs: 3 },
    { key: 'b', rank: 'news', sinceMs: 2 },
    { key: 'a', rank: 'routine', sinceMs: 1 },
  ]);
  expect(ready.size).toBe(0);
});

test('where no worker is for routine, it waits, and has its turn as soon as one is', () => {
  const ready = new ReadyKeys();
  for (let number = 1; number <= 5; number += 1) ready.push(`n${String(number)}`, 'news', 0);
  ready.push('r1', 'routine', 0);
  for (let number = 1; number <= 4; number += 1) ready.take(false);
  expect(ready.take()?.key).toBe('r1');
  expect(ready.take(false)?.key).toBe('n5');
  ready.push('r2', 'routine', 0);
  expect(ready.take(false)).toBeUndefined();
  expect(ready.take()?.key).toBe('r2');
});

test('whatever comes in whatever order, each key is taken once, and none waits for more than four times those that were before it', () => {
  const action = fc.oneof(
    fc.record({ do: fc.constant('push' as const), rank: fc.constantFrom<Rank>('news', 'routine') }),
    fc.record({ do: fc.constant('promote' as const), number: fc.nat(60) }),
    fc.record({ do: fc.constant('take' as const) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const ready = new ReadyKeys();
      const waiting = new Map<string, { readonly ahead: number; passed: number }>();
      let pushed = 0;
      const take = (): void => {
        const key = ready.take()?.key;
        expect(key === undefined).toBe(waiting.size === 0);
        if (key === undefined) return;
        const { ahead, passed } = waiting.get(key) ?? { ahead: -1, passed: 0 };
        expect(passed).toBeLessThanOrEqual(4 * (ahead + 1));
        expect(waiting.delete(key)).toBe(true);
        for (const each of waiting.values()) each.passed += 1;
      };
      for (const each of actions) {
        if (each.do === 'take') take();
        else if (each.do === 'promote') ready.promote(`k${String(each.number)}`);
        else {
          ready.push(`k${String(pushed)}`, each.rank, pushed);
          waiting.set(`k${String(pushed)}`, { ahead: waiting.size, passed: 0 });
          pushed += 1;
        }
        expect(ready.size).toBe(waiting.size);
      }
      while (waiting.size > 0) take();
    }),
  );
});
