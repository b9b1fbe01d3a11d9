/** What a wait for a condition ends with. */
import { expect, test } from '@jest/globals';
import { waitFor } from './deadline.ts';

const WAIT = { what: 'the tide', deadlineMs: 60_000, everyMs: 1 };

test('the answer, once there is one; what was thrown before counts as not yet', async () => {
  let asked = 0;
  const ask = async (): Promise<string | undefined> => {
    asked += 1;
    if (asked === 1) throw new Error('not reachable yet');
    return asked < 3 ? undefined : 'high';
  };
  await expect(waitFor(ask, WAIT)).resolves.toBe('high');
});

test('an error that quotes the last throw, when the time is over', async () => {
  const ask = () => Promise.reject(new Error('not reachable'));
  const error = 'waited 0 s in vain for the tide; the last try said: not reachable';
  await expect(waitFor(ask, { ...WAIT, deadlineMs: 20 })).rejects.toThrow(error);
});

test('an error when it is interrupted: what did not come is not to look as if it had', async () => {
  const abort = new AbortController();
  const waiting = waitFor(() => Promise.resolve(false), { ...WAIT, signal: abort.signal });
  abort.abort();
  await expect(waiting).rejects.toThrow('interrupted while waiting for the tide');
});
