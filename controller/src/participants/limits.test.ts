/** Who may call an endpoint when; the numbered rules are those of limits.ts. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ManualClock } from '../runtime/manual-clock.ts';
import { EndpointLimits, type Claim } from './limits.ts';

const NEVER = new AbortController().signal;

function claim(changes: Partial<Claim> = {}): Claim {
  return {
    endpoint: 'http://inventory.shop.svc:80',
    holder: 'inventory',
    maxConcurrency: 1,
    rank: 'trying',
    ...changes,
  };
}

/** Asks for a place and notes the name once it has one. */
function asker(limits: EndpointLimits, started: string[]) {
  return (name: string, changes: Partial<Claim> = {}, signal = NEVER) =>
    Promise.resolve(limits.acquire(claim(changes), signal)).then((isStarted) => {
      started.push(isStarted ? name : `not ${name}`);
    });
}

const settled = () => new Promise(setImmediate);

test('calls up to the limit start at once, the others in the order they came', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  for (const name of ['a', 'b', 'c', 'd']) void ask(name, { maxConcurrency: 2 });
  await settled();
  expect(started).toEqual(['a', 'b']);
  limits.release(claim().endpoint);
  limits.release(claim().endpoint);
  await settled();
  expect(started).toEqual(['a', 'b', 'c', 'd']);
});

test('confirms and cancels go before tries that came earlier', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  void ask('running');
  void ask('try 1');
  void ask('confirm', { rank: 'settling' });
  void ask('try 2');
  void ask('cancel', { rank: 'settling' });
  for (let ended = 0; ended < 4; ended += 1) {
    await settled();
    limits.release(claim().endpoint);
  }
  await settled();
  expect(started).toEqual(['running', 'confirm', 'cancel', 'try 1', 'try 2']);
});

test('first tries go before repeated ones that came earlier, which get every fourth place', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  void ask('running');
  for (const name of ['again 1', 'again 2', 'again 3']) void ask(name, { rank: 'repeating' });
  for (const name of ['new 1', 'new 2', 'new 3', 'new 4', 'new 5']) void ask(name);
  void ask('confirm', { rank: 'settling' });
  void ask('overdue', { rank: 'overdue' });
  for (let ended = 0; ended < 10; ended += 1) {
    await settled();
    limits.release(claim().endpoint);
  }
  await settled();
  expect(started).toEqual([
    ...['running', 'confirm', 'overdue', 'new 1', 'new 2', 'new 3', 'again 1'],
    ...['new 4', 'new 5', 'again 2', 'again 3'],
  ]);
});

test('endpoints do not wait for each other', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  expect(limits.acquire(claim(), NEVER)).toBe(true);
  expect(limits.acquire(claim({ endpoint: 'http://order.shop.svc:80' }), NEVER)).toBe(true);
});

test('flows that share an endpoint are each held to their own limit, and none is overtaken', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  void ask('wide 1', { holder: 'wide', maxConcurrency: 3 });
  void ask('narrow', { holder: 'narrow', maxConcurrency: 1 });
  void ask('wide 2', { holder: 'wide', maxConcurrency: 3 });
  await settled();
  expect(started).toEqual(['wide 1']);
  limits.release(claim().endpoint);
  await settled();
  expect(started).toEqual(['wide 1', 'narrow', 'wide 2']);
});

test('a raised limit lets those start that already wait, a lowered one holds them', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  for (const name of ['a', 'b', 'c']) void ask(name, { maxConcurrency: 1 });
  void ask('d', { maxConcurrency: 3 });
  await settled();
  expect(started).toEqual(['a', 'b', 'c']);
  void ask('e', { maxConcurrency: 1 });
  limits.release(claim().endpoint);
  limits.release(claim().endpoint);
  await settled();
  expect(started).toEqual(['a', 'b', 'c']);
  limits.release(claim().endpoint);
  await settled();
  expect(started).toEqual(['a', 'b', 'c', 'd']);
});

test('a waiter that is aborted leaves, and those behind it go on', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  const abort = new AbortController();
  void ask('wide 1', { holder: 'wide', maxConcurrency: 2 });
  void ask('narrow', { holder: 'narrow', maxConcurrency: 1 }, abort.signal);
  void ask('wide 2', { holder: 'wide', maxConcurrency: 2 });
  abort.abort();
  await settled();
  expect(started.sort()).toEqual(['not narrow', 'wide 1', 'wide 2']);
});

test('with a signal that is aborted already nothing waits', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  void limits.acquire(claim(), NEVER);
  expect(await limits.acquire(claim(), AbortSignal.abort())).toBe(false);
});

test('whatever comes and goes, no limit is passed, everyone gets a turn, and nothing is left', async () => {
  const step = fc.record({
    endpoint: fc.constantFrom('http://a', 'http://b'),
    holder: fc.constantFrom('x', 'y'),
    maxConcurrency: fc.integer({ min: 1, max: 3 }),
    rank: fc.constantFrom('settling' as const, 'overdue' as const, 'trying' as const, 'repeating' as const),
    aborts: fc.boolean(),
    releasesFirst: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const limits = new EndpointLimits({ clock: new ManualClock() });
      const running: string[] = [];
      let waiting = 0;
      const releaseOne = () => {
        const endpoint = running.shift();
        if (endpoint) limits.release(endpoint);
      };
      for (const { aborts, releasesFirst, ...asked } of steps) {
        if (releasesFirst) releaseOne();
        const abort = new AbortController();
        waiting += 1;
        void Promise.resolve(limits.acquire(asked, abort.signal)).then((isStarted) => {
          waiting -= 1;
          if (isStarted) running.push(asked.endpoint);
        });
        if (aborts) abort.abort();
        await Promise.resolve();
        for (const endpoint of ['http://a', 'http://b']) {
          expect(running.filter((each) => each === endpoint).length).toBeLessThanOrEqual(3);
        }
      }
      for (let turn = 0; turn <= 2 * steps.length; turn += 1) {
        await settled();
        releaseOne();
      }
      expect({ waiting, running, endpoints: limits.endpoints }).toEqual({ waiting: 0, running: [], endpoints: 0 });
    }),
    { numRuns: 50 },
  );
});

test('where both wait, every fourth place goes to a try, however many confirms come', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  void ask('running');
  for (const name of ['try', 'try', 'try']) void ask(name);
  for (let ended = 0; ended < 12; ended += 1) {
    // The backlog of confirms never gets shorter.
    for (const name of ['confirm', 'confirm']) void ask(name, { rank: 'settling' });
    limits.release(claim().endpoint);
    await settled();
  }
  const turn = ['confirm', 'confirm', 'confirm', 'try'];
  expect(started).toEqual(['running', ...turn, ...turn, ...turn]);
});

test('the tries’ share is counted from the first try that waits, not saved up', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  void ask('running');
  const next = async () => {
    limits.release(claim().endpoint);
    await settled();
  };
  for (let count = 0; count < 9; count += 1) void ask('confirm', { rank: 'settling' });
  for (let ended = 0; ended < 5; ended += 1) await next();
  void ask('try');
  for (let ended = 0; ended < 4; ended += 1) await next();
  expect(started.slice(6)).toEqual(['confirm', 'confirm', 'confirm', 'try']);
});

test('an overdue try goes before the other tries and takes no more than their share', async () => {
  const limits = new EndpointLimits({ clock: new ManualClock() });
  const started: string[] = [];
  const ask = asker(limits, started);
  void ask('running');
  for (const name of ['try 1', 'try 2']) void ask(name);
  for (let count = 0; count < 3; count += 1) void ask('confirm', { rank: 'settling' });
  void ask('overdue', { rank: 'overdue' });
  for (let ended = 0; ended < 6; ended += 1) {
    limits.release(claim().endpoint);
    await settled();
  }
  expect(started).toEqual(['running', 'confirm', 'confirm', 'confirm', 'overdue', 'try 1', 'try 2']);
});

test.each([
  { maxConcurrency: 64, told: [[claim().endpoint, 32]], places: 32 },
  { maxConcurrency: 2, told: [], places: 2 },
])(
  'calls that time out take places away; of $maxConcurrency there are $places then',
  ({ maxConcurrency, told, places }) => {
    const limits = new EndpointLimits({ clock: new ManualClock() });
    const { endpoint } = claim();
    const take = () => limits.acquire(claim({ maxConcurrency }), NEVER);
    for (let call = 0; call < maxConcurrency; call += 1) void take();
    for (let call = 0; call < 3; call += 1) {
      limits.release(endpoint, { kind: 'failed', transaction: 'shop/t1', timedOut: true, revivals: 0, reductions: 0 });
      if (call < 2) void take();
    }
    expect([...limits.windows()]).toEqual(told);
    for (let call = 1; call < maxConcurrency; call += 1) limits.release(endpoint);
    for (let place = 0; place < places; place += 1) expect(take()).toBe(true);
    expect(take()).not.toBe(true);
  },
);
