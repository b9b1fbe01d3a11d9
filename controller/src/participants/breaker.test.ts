/** Who may call an endpoint that fails; the numbered rules are those of breaker.ts. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  admission,
  FIRST_ASK_EVERY_MS,
  gone,
  heard,
  NEVER_OPENED,
  nextTurnAtMs,
  POISONOUS_MAX,
  TRANSACTIONS_MIN,
  TURN_EVERY_MS,
  type Breaker,
  type Sign,
} from './breaker.ts';

const ALIVE: Sign = { kind: 'alive', transaction: 'z' };

function failureOf(transaction: string, revivals = 0): Sign {
  return { kind: 'failed', transaction, timedOut: false, revivals, reductions: 0 };
}

function openedAt(nowMs: number): Breaker {
  return ['a', 'b', 'c'].reduce((breaker, name) => heard(breaker, failureOf(name), nowMs), NEVER_OPENED);
}

test('three different transactions that fail open it', () => {
  const two = heard(heard(NEVER_OPENED, failureOf('a'), 0), failureOf('b'), 0);
  expect(two.state).toBe('closed');
  expect(heard(two, failureOf('c'), 5)).toMatchObject({ state: 'open', sinceMs: 5 });
});

test('one transaction that always fails opens nothing, nor do two', () => {
  let breaker: Breaker = NEVER_OPENED;
  for (let nth = 0; nth < 1_000; nth += 1) breaker = heard(breaker, failureOf(nth % 2 === 0 ? 'a' : 'b'), nth);
  expect(admission(breaker, false, 1_000)).toBe('everybody');
});

test('a sign of life forgets the failures before it', () => {
  const two = heard(heard(NEVER_OPENED, failureOf('a'), 0), failureOf('b'), 0);
  const later = heard(heard(heard(two, ALIVE, 1), failureOf('c'), 2), failureOf('d'), 3);
  expect(later.state).toBe('closed');
  expect(heard(later, failureOf('e'), 4).state).toBe('open');
});

test('while it is open one goes each second, beginning a second after it opened', () => {
  let breaker = openedAt(0);
  const went: number[] = [];
  for (let nowMs = 0; nowMs <= 5_000; nowMs += 100) {
    const as = admission(breaker, false, nowMs);
    if (as === 'nobody') continue;
    expect(as).toBe('next');
    went.push(nowMs);
    breaker = gone(breaker, as, nowMs);
  }
  expect(went).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
});

test('tries that were never sent and that their deadlines wait for go beside those, four a second', () => {
  let breaker = openedAt(0);
  const went: string[] = [];
  for (let nowMs = 0; nowMs <= 1_500; nowMs += 50) {
    const as = admission(breaker, true, nowMs);
    if (as !== 'nobody') went.push(`${nowMs} ${as}`);
    breaker = gone(breaker, as, nowMs);
  }
  expect(went).toEqual([
    ...['250 never sent', '500 never sent', '750 never sent'],
    ...['1000 next', '1050 never sent', '1300 never sent'],
  ]);
});

test('a failure of a call that began before it closed last does not count', () => {
  const back = heard(openedAt(0), ALIVE, 10);
  expect(back).toMatchObject({ state: 'closed', revivals: 1 });
  const stale = ['x', 'y', 'z'].reduce((breaker, name) => heard(breaker, failureOf(name, 0), 11), back);
  expect(stale).toEqual(back);
  const fresh = ['x', 'y', 'z'].reduce((breaker, name) => heard(breaker, failureOf(name, 1), 12), back);
  expect(fresh.state).toBe('open');
});

test('what fails before and after a sign of life of another opens it no more, until it is answered itself', () => {
  const back = heard(heard(openedAt(0), failureOf('d'), 5), ALIVE, 10);
  const again = ['a', 'b', 'c', 'd'].reduce((breaker, name) => heard(breaker, failureOf(name, 1), 20), back);
  expect(again).toEqual(back);
  const others = ['e', 'f'].reduce((breaker, name) => heard(breaker, failureOf(name, 1), 30), again);
  expect(others.state).toBe('closed');
  expect(heard(others, failureOf('g', 1), 40).state).toBe('open');
  const answered = heard(again, { kind: 'alive', transaction: 'a' }, 50);
  const counted = ['a', 'e', 'f'].reduce((breaker, name) => heard(breaker, failureOf(name, 1), 60), answered);
  expect(counted.state).toBe('open');
});

test('of an outage in which very many were called only so many are remembered', () => {
  let breaker = openedAt(0);
  for (let nth = 0; nth < 2 * POISONOUS_MAX; nth += 1) breaker = heard(breaker, failureOf(`t${nth}`), nth);
  breaker = heard(breaker, ALIVE, 1_000);
  expect(breaker.poisonous).toHaveLength(POISONOUS_MAX);
  expect(breaker.poisonous).toContain(`t${2 * POISONOUS_MAX - 1}`);
});

test('whatever is heard, it is open exactly while no sign of life came after the third failing transaction that is not poisonous', () => {
  const event = fc.record({
    pauseMs: fc.nat({ max: 700 }),
    what: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h') },
      { weight: 1, arbitrary: fc.constantFrom('alive', 'alive a', 'alive b') },
      { weight: 3, arbitrary: fc.constant('somebody wants to go') },
      { weight: 1, arbitrary: fc.constant('somebody wants to be asked first') },
    ),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let breaker: Breaker = NEVER_OPENED;
      let nowMs = 0;
      const failed = new Set<string>();
      const poisonous = new Set<string>();
      let went: { readonly atMs: number; readonly as: string }[] = [];
      for (const { pauseMs, what } of events) {
        nowMs += pauseMs;
        if (what.startsWith('somebody')) {
          const as = admission(breaker, what.endsWith('first'), nowMs);
          if (as === 'nobody') expect(nextTurnAtMs(breaker, what.endsWith('first'))).toBeGreaterThan(nowMs);
          else went.push({ atMs: nowMs, as });
          breaker = gone(breaker, as, nowMs);
        } else {
          const [, answered = 'z'] = what.split(' ');
          if (what.startsWith('alive')) {
            if (breaker.state === 'open') for (const each of failed) poisonous.add(each);
            poisonous.delete(answered);
            failed.clear();
          } else if (breaker.state === 'open' || !poisonous.has(what)) failed.add(what);
          const sign = failureOf(what, breaker.revivals);
          breaker = heard(breaker, what.startsWith('alive') ? { kind: 'alive', transaction: answered } : sign, nowMs);
          if (breaker.state === 'closed') went = [];
        }
        expect(breaker.state).toBe(failed.size >= TRANSACTIONS_MIN ? 'open' : 'closed');
        if (breaker.state === 'closed') continue;
        for (const [as, everyMs] of [
          ['next', TURN_EVERY_MS],
          ['never sent', FIRST_ASK_EVERY_MS],
        ] as const) {
          const times = went.filter((each) => each.as === as).map(({ atMs }) => atMs);
          const apart = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
          expect(apart.every((ms) => ms >= everyMs)).toBe(true);
        }
      }
    }),
  );
});
