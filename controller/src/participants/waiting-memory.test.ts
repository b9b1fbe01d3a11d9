/** What calls take that wait for their place, of which there may be tens of thousands. */
import { afterEach, expect, test } from '@jest/globals';
import { settle } from '../runtime/manual-clock.ts';
import { collectGarbage } from '../runtime/testing/garbage.ts';
import {
  answerState,
  callerFor,
  callTo,
  participantAt,
  startParticipant,
  TRANSACTION,
} from './loopback-participant.ts';

const WAITING = 500;
const NOTE_BYTES = 50_000;
const NEVER = new AbortController().signal;

const open: { stop?(): Promise<void>; close?(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0)) await (each.close?.() ?? each.stop?.());
});

function bufferBytesHeld(): number {
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

test('a call that waits does not hold its body, and is sent whole when it is its turn', async () => {
  const participant = await startParticipant((response) => answerState(response, 'Tried'));
  const caller = callerFor([participant.origin]);
  open.push(caller, participant);
  const only = participantAt(participant.origin, { maxConcurrency: 1 });
  const payload = { orderId: 'o1', note: 'n'.repeat(NOTE_BYTES) };
  const transaction = { ...TRANSACTION, spec: { ...TRANSACTION.spec, payload } };
  const before = bufferBytesHeld();
  const calls = Array.from({ length: 1 + WAITING }, () => caller.call(callTo(only, { transaction }), NEVER));
  // Nothing has been awaited yet: the first has its place, all others wait.
  expect(bufferBytesHeld() - before).toBeLessThan((WAITING * NOTE_BYTES) / 2);
  expect(await Promise.all(calls)).toEqual(calls.map(() => ({ kind: 'succeeded' })));
  expect(JSON.parse(participant.requests.at(-1)?.body ?? '')).toEqual(payload);
});

test('a call that waits holds no copy of its transaction: a newer one may be stored meanwhile', async () => {
  const participant = await startParticipant((response) => answerState(response, 'Tried'));
  const caller = callerFor([participant.origin]);
  open.push(caller, participant);
  const only = participantAt(participant.origin, { maxConcurrency: 1 });
  const copies: WeakRef<object>[] = [];
  const waits = () => {
    const call = callTo(only);
    const current = () => {
      const transaction = structuredClone(TRANSACTION);
      copies.push(new WeakRef(transaction));
      const now = call.current();
      return now && { ...now, transaction };
    };
    return caller.call({ ...call, current }, NEVER);
  };
  const first = waits();
  const waiting = [waits(), waits(), waits()];
  const ofThoseThatWait = copies.slice(1);
  expect(ofThoseThatWait).toHaveLength(3);
  await settle();
  collectGarbage();
  expect(ofThoseThatWait.map((copy) => copy.deref())).toEqual([undefined, undefined, undefined]);
  expect(await Promise.all([first, ...waiting])).toHaveLength(4);
});
