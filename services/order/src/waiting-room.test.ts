/** Whoever waits hears of their order, and of no other. */
import { expect, test } from '@jest/globals';
import { waitingRoom } from './waiting-room.ts';

const LONG_MS = 60_000;
const never = new AbortController().signal;

/** The names of those whose hint comes before everybody is told to give up. */
async function woken(
  hints: Readonly<Record<string, (signal: AbortSignal) => Promise<void>>>,
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
  const room = waitingRoom();
  const seats = { mine: room.sit('o1'), 'mine too': room.sit('o1'), theirs: room.sit('o2') };
  const hints = Object.fromEntries(
    Object.entries(seats).map(([name, seat]) => [name, (signal: AbortSignal) => seat.hint(LONG_MS, signal)]),
  );
  room.call('o1');
  expect(await woken(hints)).toEqual(['mine', 'mine too']);
});

test('a call that came before anybody listened counts, once', async () => {
  const room = waitingRoom();
  const seat = room.sit('o1');
  room.call('o1');
  await seat.hint(LONG_MS, never);
  expect(await woken({ again: (signal) => seat.hint(LONG_MS, signal) })).toEqual([]);
});

test('a call while somebody listens ends the wait', async () => {
  const room = waitingRoom();
  const hint = room.sit('o1').hint(LONG_MS, never);
  room.call('o1');
  await expect(hint).resolves.toBeUndefined();
});

test('everyone is called when news may have been missed', async () => {
  const room = waitingRoom();
  const hints = [room.sit('o1').hint(LONG_MS, never), room.sit('o2').hint(LONG_MS, never)];
  room.callEveryone();
  await expect(Promise.all(hints)).resolves.toHaveLength(2);
});

test('who has left is not called any more, and those beside them still are', async () => {
  const room = waitingRoom();
  const [gone, staying] = [room.sit('o1'), room.sit('o1')];
  gone.leave();
  room.call('o1');
  expect(
    await woken({ gone: (signal) => gone.hint(LONG_MS, signal), staying: (signal) => staying.hint(LONG_MS, signal) }),
  ).toEqual(['staying']);
});

test('a wait ends with its time and with its signal', async () => {
  const seat = waitingRoom().sit('o1');
  await seat.hint(1, never);
  await seat.hint(LONG_MS, AbortSignal.abort());
});
