/** Whose turn it is at an endpoint whose breaker is open; the numbered rules are those of limits.ts. */
import { beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ManualClock, settle } from '../runtime/manual-clock.ts';
import type { Sign } from './breaker.ts';
import { EndpointLimits, type Claim, type Rank } from './limits.ts';

const NEVER = new AbortController().signal;
const DEAD = 'http://inventory.shop.svc:80';

let clock: ManualClock;
let limits: EndpointLimits;
let changes: string[];
/** What went out, in order, and when: `<second> <name>`. */
let went: string[];

beforeEach(() => {
  clock = new ManualClock(0);
  changes = [];
  went = [];
  limits = new EndpointLimits({ clock, onBreaker: (endpoint, state) => changes.push(`${endpoint} ${state}`) });
});

function claim(rank: Rank, endpoint = DEAD): Claim {
  return { endpoint, holder: 'inventory', maxConcurrency: 64, rank };
}

function failure(transaction: string): Sign {
  const { revivals, reductions } = limits.health(DEAD);
  return { kind: 'failed', transaction, timedOut: false, revivals, reductions };
}

function open(): void {
  for (const name of ['a', 'b', 'c']) {
    expect(limits.acquire(claim('trying'), NEVER)).toBe(true);
    limits.release(DEAD, failure(name));
  }
}

/** Goes out when it may, and ends at once: in vain unless it is to be answered. */
function go(name: string, rank: Rank = 'trying', sign: Sign = failure(name), signal = NEVER): void {
  void Promise.resolve(limits.acquire(claim(rank), signal)).then((hasPlace) => {
    if (!hasPlace) return;
    went.push(`${clock.monotonicMs() / 1_000} ${name}`);
    limits.release(DEAD, sign);
  });
}

test('those that wait go one a second, confirms and cancels before tries, in the order they came', async () => {
  open();
  expect(changes).toEqual([`${DEAD} open`]);
  for (const name of ['try 1', 'try 2']) go(name);
  for (const name of ['confirm 1', 'confirm 2']) go(name, 'settling');
  await clock.advance(4_000);
  expect(went).toEqual(['1 confirm 1', '2 confirm 2', '3 try 1', '4 try 2']);
});

test('the first sign of life lets all go that wait, as places allow', async () => {
  open();
  let running = 0;
  let most = 0;
  const held: (() => void)[] = [];
  for (let nth = 0; nth < 200; nth += 1) {
    void Promise.resolve(limits.acquire(claim('trying'), NEVER)).then(() => {
      running += 1;
      most = Math.max(most, running);
      held.push(() => {
        running -= 1;
        limits.release(DEAD, { kind: 'alive', transaction: 'another' });
      });
    });
  }
  await clock.advance(1_000);
  expect(running).toBe(1);
  held.pop()?.();
  await settle();
  expect(changes).toEqual([`${DEAD} open`, `${DEAD} closed`]);
  expect(running).toBe(64);
  while (held.length > 0) {
    held.pop()?.();
    await settle();
  }
  expect({ most, running }).toEqual({ most: 64, running: 0 });
});

test('what a person asks for goes at once, and before everybody', async () => {
  open();
  go('try');
  go('asked for', 'requested');
  await settle();
  expect(went).toEqual(['0 asked for']);
  await clock.advance(1_000);
  expect(went).toEqual(['0 asked for', '1 try']);
});

test('what a person asks for needs a place all the same', async () => {
  const narrow = { ...claim('requested'), maxConcurrency: 1 };
  expect(limits.acquire(narrow, NEVER)).toBe(true);
  let hasPlace = false;
  void Promise.resolve(limits.acquire(narrow, NEVER)).then(() => (hasPlace = true));
  await settle();
  expect(hasPlace).toBe(false);
  limits.release(DEAD);
  await settle();
  expect(hasPlace).toBe(true);
});

test('tries that were never sent and whose deadlines have come do not wait for their turn among all', async () => {
  open();
  for (const name of ['confirm 1', 'confirm 2']) go(name, 'settling');
  for (const name of ['overdue 1', 'overdue 2', 'overdue 3']) go(name, 'overdue');
  await clock.advance(2_000);
  expect(went).toEqual(['0.25 overdue 1', '0.5 overdue 2', '0.75 overdue 3', '1 confirm 1', '2 confirm 2']);
});

test('a turn whose call hangs takes no turn from the others', async () => {
  open();
  void limits.acquire(claim('trying'), NEVER);
  go('next');
  await clock.advance(2_000);
  expect(went).toEqual(['2 next']);
});

test('no turn is lost to a timer that fires early, or to time that passes between two looks at the clock', async () => {
  for (let betweenMs = 0.01; betweenMs < 0.3; betweenMs += 0.01) {
    let looks = 0;
    const restless = {
      monotonicMs: () => clock.monotonicMs() + (looks += 1) * betweenMs,
      setTimer: (delayMs: number, fire: () => void) => clock.setTimer(delayMs - 0.5, fire),
    };
    limits = new EndpointLimits({ clock: restless });
    open();
    went = [];
    for (let nth = 0; nth < 5; nth += 1) go(`try ${nth}`);
    await clock.advance(10_000);
    expect({ betweenMs, went: went.length }).toEqual({ betweenMs, went: 5 });
  }
});

test('one that leaves before its turn takes none', async () => {
  open();
  const leaving = new AbortController();
  go('leaves', 'trying', failure('leaves'), leaving.signal);
  go('stays');
  leaving.abort();
  await clock.advance(1_000);
  expect(went).toEqual(['1 stays']);
});

test('a call under way that is answered after all closes it as well', async () => {
  expect(limits.acquire(claim('trying'), NEVER)).toBe(true);
  open();
  go('waits');
  limits.release(DEAD, { kind: 'alive', transaction: 'another' });
  await settle();
  expect(went).toEqual(['0 waits']);
  expect(limits.health(DEAD)).toEqual({ downForMs: undefined, revivals: 1, reductions: 0 });
});

test('it says for how long nobody was answered', async () => {
  open();
  await clock.advance(2_500);
  expect(limits.health(DEAD)).toEqual({ downForMs: 2_500, revivals: 0, reductions: 0 });
  expect(limits.health('http://order.shop.svc:80')).toEqual({ downForMs: undefined, revivals: 0, reductions: 0 });
  expect([...limits.breakers()]).toEqual([[DEAD, 'open']]);
});

test('an open breaker is no other endpoint’s', () => {
  open();
  expect(limits.acquire(claim('trying', 'http://order.shop.svc:80'), NEVER)).toBe(true);
});

test('whoever comes, leaves, fails and is answered, all get their turn, at most a few a second in vain', async () => {
  const step = fc.record({
    rank: fc.constantFrom<Rank>('requested', 'settling', 'overdue', 'trying'),
    leaves: fc.boolean(),
    pauseMs: fc.nat({ max: 600 }),
    answered: fc.nat({ max: 20 }).map((dice) => dice === 0),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      clock = new ManualClock(0);
      limits = new EndpointLimits({ clock });
      open();
      let waiting = 0;
      /** By turns, in vain: when. */
      const inVain: number[] = [];
      for (const [nth, { rank, leaves, pauseMs, answered }] of steps.entries()) {
        const leaving = new AbortController();
        waiting += 1;
        void Promise.resolve(limits.acquire(claim(rank), leaving.signal)).then((hasPlace) => {
          waiting -= 1;
          if (!hasPlace) return;
          const isOpen = limits.health(DEAD).downForMs !== undefined;
          if (isOpen && rank !== 'requested') inVain.push(clock.monotonicMs());
          limits.release(DEAD, answered ? { kind: 'alive', transaction: 'another' } : failure(`t${nth}`));
        });
        if (leaves) leaving.abort();
        await clock.advance(pauseMs);
      }
      await clock.advance(60_000);
      expect(waiting).toBe(0);
      expect(clock.timersWaiting).toBe(0);
      for (const fromMs of inVain) {
        expect(inVain.filter((atMs) => atMs >= fromMs && atMs < fromMs + 1_000).length).toBeLessThanOrEqual(8);
      }
    }),
    { numRuns: 100 },
  );
});
