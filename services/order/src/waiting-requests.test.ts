/** Whoever waits hears of their order, and of no other. */
import { expect, test } from '@jest/globals';
import { waitingRequests } from './waiting-requests.ts';

const LONG_MS = 60_000;
const never = new AbortController().signal;

/** The names of those whose hint comes before everybody is told to give up. */
async function woken(
  hints: Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>>,
): Promise<readonly string[]> {
  const patience = new AbortController();
  const names: string[] = [];
  const all = Object.entries(hints).map(async ([name, hint]) => {
    await hint(patience.signal);
    if (!patience.signal.aborted) names.push(name);
  });
  // Hints that are there already need one turn of the loop, and no time.
  await new Promise(setImmediate);
  patience.abort();
  await Promise.all(all);
  return names;
}

test('a call wakes everyone who waits for this order, and nobody else', async () => {
  const waiting = waitingRequests();
  const waiters = { mine: waiting.add('o1'), 'mine too': waiting.add('o1'), theirs: waiting.add('o2') };
  const hints = Object.fromEntries(
    Object.entries(waiters).map(([name, waiter]) => [name, (signal: AbortSignal) => waiter.hint(LONG_MS, signal)]),
  );
  waiting.wake('o1');
  expect(await woken(hints)).toEqual(['mine', 'mine too']);
});

test('a call that came before anybody listened counts, once', async () => {
  const waiting = waitingRequests();
  const waiter = waiting.add('o1');
  waiting.wake('o1');
  await waiter.hint(LONG_MS, never);
  expect(await woken({ again: (signal) => waiter.hint(LONG_MS, signal) })).toEqual([]);
});

test('a call while somebody listens ends the wait', async () => {
  const waiting = waitingRequests();
  const hint = waiting.add('o1').hint(LONG_MS, never);
  waiting.wake('o1');
  await expect(hint).resolves.toBeUndefined();
});

test('everyone is called when news may have been missed', async () => {
  const waiting = waitingRequests();
  const hints = [waiting.add('o1').hint(LONG_MS, never), waiting.add('o2').hint(LONG_MS, never)];
  waiting.wakeAll();
  await expect(Promise.all(hints)).resolves.toHaveLength(2);
});

test('who has left is not called any more, and those beside them still are', async () => {
  const waiting = waitingRequests();
  const [gone, staying] = [waiting.add('o1'), waiting.add('o1')];
  gone.end();
  waiting.wake('o1');
  expect(
    await woken({ gone: (signal) => gone.hint(LONG_MS, signal), staying: (signal) => staying.hint(LONG_MS, signal) }),
  ).toEqual(['staying']);
});

test('a wait ends with its time and with its signal', async () => {
  const waiter = waitingRequests().add('o1');
  await waiter.hint(1, never);
  await waiter.hint(LONG_MS, AbortSignal.abort());
});

test('who is told how it ended hears exactly that, and who is only woken nothing', async () => {
  const waiting = waitingRequests();
  const waiter = waiting.add('o1');
  const outcome = { status: 'PENDING_PAYMENT', reason: null } as const;
  waiting.tell('o1', outcome);
  waiting.tell('o2', { status: 'CANCELLED', reason: null });
  expect(await waiter.hint(LONG_MS, never)).toEqual(outcome);
  waiting.wake('o1');
  expect(await waiter.hint(LONG_MS, never)).toBeUndefined();
  waiter.end();
});
