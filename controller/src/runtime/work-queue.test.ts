/** The work queue loses no wake-up, does nothing twice at once, and survives the bugs of its handlers. */
import { describe, expect, test } from '@jest/globals';
import { ManualClock, settle } from './manual-clock.ts';
import { WorkQueue, type WorkQueueOptions } from './work-queue.ts';

/** A handler whose calls the test lets go on, one by one. */
class Gate {
  readonly started: string[] = [];
  #open: { readonly key: string; readonly end: (error?: Error) => void }[] = [];

  readonly handle = (key: string): Promise<void> => {
    this.started.push(key);
    return new Promise((resolve, reject) => {
      this.#open.push({ key, end: (error) => (error ? reject(error) : resolve()) });
    });
  };

  get running(): readonly string[] {
    return this.#open.map(({ key }) => key);
  }

  async finish(key: string, error?: Error): Promise<void> {
    const index = this.#open.findIndex((call) => call.key === key);
    this.#open.splice(index, 1)[0]!.end(error);
    await settle();
  }
}

function queueWith(handle: WorkQueueOptions['handle'], more: Partial<WorkQueueOptions> = {}) {
  const clock = new ManualClock();
  const panics: string[] = [];
  const onPanic = (key: string): void => void panics.push(key);
  const queue = new WorkQueue({ name: 'test', workersMax: 2, handle, clock, onPanic, random: () => 0, ...more });
  queue.start();
  return { clock, queue, panics };
}

describe('one key', () => {
  test('is handled once however often it was added before its turn', async () => {
    const gate = new Gate();
    const { queue } = queueWith(gate.handle, { workersMax: 1 });
    queue.add('busy');
    for (let i = 0; i < 10; i += 1) queue.add('a');
    expect(queue.depth).toBe(1);
    await gate.finish('busy');
    await gate.finish('a');
    expect(gate.started).toEqual(['busy', 'a']);
    expect(queue.depth).toBe(0);
  });

  test('is never handled by two workers at a time, and once more when it was added meanwhile', async () => {
    const gate = new Gate();
    const { queue } = queueWith(gate.handle);
    queue.add('a');
    queue.add('a');
    queue.add('a');
    await settle();
    expect(gate.running).toEqual(['a']);
    await gate.finish('a');
    expect(gate.running).toEqual(['a']);
    await gate.finish('a');
    expect(gate.started).toEqual(['a', 'a']);
    expect(queue.running).toBe(0);
  });

  test('that is not ready leaves the other workers to other keys', async () => {
    const gate = new Gate();
    const { queue } = queueWith(gate.handle);
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(gate.running).toEqual(['a', 'b']);
    await gate.finish('b');
    expect(gate.running).toEqual(['a', 'c']);
  });
});

test('keys are handled in the order they came, also thousands of them', async () => {
  const order: string[] = [];
  const { queue } = queueWith(async (key) => void order.push(key), { workersMax: 1 });
  const keys = Array.from({ length: 5_000 }, (_, index) => `key-${index}`);
  for (const key of keys) queue.add(key);
  while (queue.depth > 0 || queue.running > 0) await settle();
  expect(order).toEqual(keys);
});

test('what comes in the same turn of the event loop is handled once, after all of it has come', async () => {
  const handled: string[] = [];
  const { queue } = queueWith(async (key) => void handled.push(key), { begin: setImmediate });
  const answers = ['a', 'b', 'a', 'c', 'a'].map(async (key) => Promise.resolve().then(() => queue.add(key)));
  await Promise.all(answers);
  expect(handled).toEqual([]);
  await new Promise(setImmediate);
  expect(handled).toEqual(['a', 'b', 'c']);
  queue.add('a');
  await new Promise(setImmediate);
  expect(handled).toEqual(['a', 'b', 'c', 'a']);
});

describe('news and routine', () => {
  test('what has news is handled before what the clock brings, and that in its turn', async () => {
    const gate = new Gate();
    const { clock, queue } = queueWith(gate.handle, { workersMax: 1 });
    queue.add('busy');
    for (const key of ['late-1', 'late-2']) queue.addAfter(key, 1_000);
    queue.add('routine', 'routine');
    await clock.advance(1_000);
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    for (const key of ['busy', 'a', 'b', 'c', 'routine', 'd', 'late-1', 'late-2']) await gate.finish(key);
    expect(gate.started).toEqual(['busy', 'a', 'b', 'c', 'routine', 'd', 'late-1', 'late-2']);
  });

  test('of one key are handled once, with the news', async () => {
    const gate = new Gate();
    const { queue } = queueWith(gate.handle, { workersMax: 1 });
    queue.add('busy');
    for (const key of ['a', 'b']) queue.add(key, 'routine');
    queue.add('b');
    queue.add('b', 'routine');
    for (const key of ['busy', 'b', 'a']) await gate.finish(key);
    expect(gate.started).toEqual(['busy', 'b', 'a']);
  });

  test('leave three quarters of the workers to news, also where there is none', async () => {
    const gate = new Gate();
    const { queue } = queueWith(gate.handle, { workersMax: 8 });
    for (const key of ['r1', 'r2', 'r3']) queue.add(key, 'routine');
    expect(gate.running).toEqual(['r1', 'r2']);
    for (const key of ['a', 'b']) queue.add(key);
    expect(gate.running).toEqual(['r1', 'r2', 'a', 'b']);
    await gate.finish('a');
    expect(gate.running).toEqual(['r1', 'r2', 'b']);
    await gate.finish('r1');
    expect(gate.running).toEqual(['r2', 'b', 'r3']);
  });

  test('of a key that is being handled come afterwards as what they are', async () => {
    const gate = new Gate();
    const { queue } = queueWith(gate.handle, { workersMax: 1 });
    for (const key of ['a', 'b']) queue.add(key);
    queue.add('a', 'routine');
    await gate.finish('a');
    queue.add('b', 'routine');
    queue.add('b');
    queue.add('c');
    for (const key of ['b', 'c', 'b', 'a']) await gate.finish(key);
    expect(gate.started).toEqual(['a', 'b', 'c', 'b', 'a']);
  });
});

describe('a delayed add', () => {
  test('comes at its moment and not before', async () => {
    const gate = new Gate();
    const { clock, queue } = queueWith(gate.handle);
    queue.addAfter('a', 1_000);
    await clock.advance(999);
    expect(gate.started).toEqual([]);
    await clock.advance(1);
    expect(gate.started).toEqual(['a']);
  });

  test('of several, the earliest counts and the others are gone', async () => {
    const handled: number[] = [];
    const { clock, queue } = queueWith(async () => void handled.push(clock.monotonicMs()));
    queue.addAfter('a', 5_000);
    queue.addAfter('a', 2_000);
    queue.addAfter('a', 9_000);
    await clock.advance(20_000);
    expect(handled).toEqual([2_000]);
  });

  test('stays in place when the key is added at once', async () => {
    const handled: number[] = [];
    const { clock, queue } = queueWith(async () => void handled.push(clock.monotonicMs()));
    queue.addAfter('a', 1_000);
    queue.add('a');
    await clock.advance(1_000);
    expect(handled).toEqual([0, 1_000]);
  });

  test.each([-3_600_000, 3_600_000])(
    'comes at its moment although the clock is set by %d ms meanwhile',
    async (byMs) => {
      const gate = new Gate();
      const { clock, queue } = queueWith(gate.handle, { workersMax: 8 });
      queue.addAfter('a', 1_000);
      queue.addAfter('b', 3_000);
      await clock.advance(999);
      clock.setWall(byMs);
      expect(gate.started).toEqual([]);
      await clock.advance(1);
      expect(gate.started).toEqual(['a']);
      await clock.advance(2_000);
      expect(gate.started).toEqual(['a', 'b']);
    },
  );

  test('of no time is an immediate one', async () => {
    const gate = new Gate();
    const { queue } = queueWith(gate.handle);
    queue.addAfter('a', 0);
    expect(gate.started).toEqual(['a']);
  });

  test('is forgotten with its key', async () => {
    const gate = new Gate();
    const { clock, queue } = queueWith(gate.handle);
    queue.addAfter('a', 1_000);
    queue.addAfter('b', 1_000);
    queue.forget('a');
    await clock.advance(1_000);
    expect(gate.started).toEqual(['b']);
  });

  test('costs one timer for all keys, and comes in the order of the moments', async () => {
    const order: string[] = [];
    const { clock, queue } = queueWith(async (key) => void order.push(key));
    const delaysMs = Array.from({ length: 1_000 }, (_, index) => (index * 7919) % 1_009);
    delaysMs.forEach((delayMs, index) => queue.addAfter(`${delayMs}-${index}`, 1 + delayMs));
    expect(clock.timersWaiting).toBe(1);
    await clock.advance(2_000);
    const due = order.map((key) => Number(key.split('-')[0]));
    expect(due).toHaveLength(1_000);
    expect(due).toEqual([...due].sort((a, b) => a - b));
    expect(clock.timersWaiting).toBe(0);
    expect(queue.delayed).toBe(0);
  });
});

describe('a handler that throws', () => {
  test('is reported, and its key comes again with growing delays', async () => {
    const handled: number[] = [];
    const { clock, panics } = (() => {
      const made = queueWith(async () => {
        handled.push(made.clock.monotonicMs());
        throw new Error('bug');
      });
      made.queue.add('a');
      return made;
    })();
    await clock.advance(1_000);
    expect(handled).toEqual([0, 50, 150, 350, 750]);
    expect(panics).toEqual(['a', 'a', 'a', 'a', 'a']);
    await clock.advance(3_600_000);
    expect(handled.at(-1)! - handled.at(-2)!).toBe(30_000);
  });

  test('starts from short delays again once it has succeeded', async () => {
    const gate = new Gate();
    const { clock, queue } = queueWith(gate.handle);
    queue.add('a');
    for (let i = 0; i < 5; i += 1) {
      await gate.finish('a', new Error('bug'));
      await clock.advance(60_000);
    }
    await gate.finish('a');
    queue.add('a');
    await gate.finish('a', new Error('bug'));
    await clock.advance(50);
    expect(gate.running).toEqual(['a']);
  });

  test('does not disturb the other keys', async () => {
    const handled: string[] = [];
    const { queue } = queueWith(async (key) => {
      if (key === 'bad') throw new Error('bug');
      handled.push(key);
    });
    for (const key of ['a', 'bad', 'b', 'bad', 'c']) queue.add(key);
    await settle();
    expect(handled).toEqual(['a', 'b', 'c']);
  });
});

describe('draining', () => {
  test('waits for what runs and starts nothing more', async () => {
    const gate = new Gate();
    const { clock, queue } = queueWith(gate.handle, { workersMax: 1 });
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    const drained = queue.drain(1_000);
    await clock.advance(100);
    await gate.finish('a');
    expect(await drained).toBe(0);
    queue.add('d');
    expect(gate.started).toEqual(['a']);
    expect(clock.timersWaiting).toBe(0);
  });

  test('gives up at its deadline and says how much still runs', async () => {
    const gate = new Gate();
    const { clock, queue } = queueWith(gate.handle);
    queue.add('a');
    const drained = queue.drain(1_000);
    await clock.advance(1_000);
    expect(await drained).toBe(1);
  });
});

test('what is counted is what happened', async () => {
  const gate = new Gate();
  const counted = { added: 0, retried: 0, waited: [] as number[], worked: [] as number[] };
  const { clock, queue } = queueWith(gate.handle, {
    workersMax: 1,
    metrics: {
      added: () => (counted.added += 1),
      retried: () => (counted.retried += 1),
      waited: (seconds) => counted.waited.push(seconds),
      worked: (seconds) => counted.worked.push(seconds),
    },
  });
  queue.add('a');
  queue.add('b');
  queue.add('b');
  await clock.advance(2_000);
  expect(queue.longestRunningMs()).toBe(2_000);
  await gate.finish('a');
  await clock.advance(500);
  await gate.finish('b');
  queue.addAfter('c', 1);
  expect(counted).toEqual({ added: 2, retried: 1, waited: [0, 2], worked: [2, 0.5] });
  expect(queue.longestRunningMs()).toBe(0);
});

test('handlers that wait for nothing leave the rest to the next turn of the event loop', async () => {
  const turns: (() => void)[] = [];
  const handled: string[] = [];
  let nowMs = 0;
  const clock = new ManualClock();
  clock.monotonicMs = () => nowMs;
  const handle = (key: string): Promise<void> => {
    handled.push(key);
    nowMs += 4;
    return Promise.resolve();
  };
  const { queue } = queueWith(handle, { clock, begin: (work) => void turns.push(work) });
  const keys = Array.from({ length: 10 }, (_, index) => `key-${index}`);
  for (const key of keys) queue.add(key);
  const eachTurn: number[] = [];
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    const before = handled.length;
    turn();
    await settle();
    eachTurn.push(handled.length - before);
  }
  expect(handled).toEqual(keys);
  expect(eachTurn).toEqual([3, 3, 3, 1, 0]);
});

test('routine that waits for its share asks for no turn of the event loop until one of its handlers ends', async () => {
  const turns: (() => void)[] = [];
  const gate = new Gate();
  const { queue } = queueWith(gate.handle, { workersMax: 4, begin: (work) => void turns.push(work) });
  for (const key of ['a', 'b']) queue.add(key, 'routine');
  // The one in which the first is taken, and the one after it.
  for (let turn = 0; turn < 2; turn += 1) turns.shift()?.();
  expect(turns).toEqual([]);
  expect(gate.running).toEqual(['a']);
  await gate.finish('a');
  expect(gate.running).toEqual(['b']);
});
