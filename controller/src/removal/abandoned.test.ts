/** What was given up and deleted is archived, later if need be, and nothing else is. */
import { beforeEach, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { memoryLog } from '../../../services/kit/testing/memory-log.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { Abandoned } from './abandoned.ts';
import type { ArchiveResult } from './ports.ts';

const GONE_MS = Date.parse('2026-11-22T23:15:00Z');
const named = (name: string) =>
  ({ metadata: { name, namespace: 'shop', uid: `uid-of-${name}` }, spec: {} }) as unknown as OrderTransaction;

let clock: ManualClock;
let log: ReturnType<typeof memoryLog>;
let there: boolean | 'unknown';
let answer: (transaction: OrderTransaction) => ArchiveResult;
let kept: (readonly [name: string, at: string])[];
let abandoned: Abandoned;

beforeEach(() => {
  clock = new ManualClock(GONE_MS);
  log = memoryLog();
  [there, kept] = [false, []];
  answer = () => ({ kind: 'kept', refused: new Map() });
  abandoned = new Abandoned({
    isThere: () => Promise.resolve(there),
    archive: {
      keepAbandoned: (transaction, at) => {
        const result = answer(transaction);
        if (result.kind === 'kept') kept.push([transaction.metadata.name, at.toISOString()]);
        return Promise.resolve(result);
      },
    },
    ...{ clock, apiClock: clock, log: log.log },
  });
});

test('it is archived with the time at which it was gone, also where the archive takes it only later', async () => {
  answer = () => ({ kind: 'unavailable', message: 'no route' });
  abandoned.gone(named('a'));
  abandoned.gone(named('b'));
  await clock.advance(60_000);
  expect(kept).toEqual([]);
  answer = () => ({ kind: 'kept', refused: new Map() });
  await clock.advance(60_000);
  const at = new Date(GONE_MS).toISOString();
  expect(kept).toEqual([
    ['a', at],
    ['b', at],
  ]);
});

test('one that is there still has ended and is not archived; one of which nothing is known is asked about again', async () => {
  there = true;
  abandoned.gone(named('ended'));
  await clock.advance(60_000);
  there = 'unknown';
  abandoned.gone(named('unclear'));
  await clock.advance(60_000);
  expect(kept).toEqual([]);
  there = false;
  await clock.advance(60_000);
  expect(kept.map(([name]) => name)).toEqual(['unclear']);
});

test('one that the archive refuses for its content is said and holds nobody up', async () => {
  answer = (transaction) => ({
    kind: 'kept',
    refused: transaction.metadata.name === 'odd' ? new Map([[transaction, 'too deep']]) : new Map(),
  });
  abandoned.gone(named('odd'));
  abandoned.gone(named('even'));
  await clock.advance(1_000);
  expect(kept.map(([name]) => name)).toEqual(['odd', 'even']);
  expect(log.lines).toEqual([expect.objectContaining({ transaction: 'shop/odd', reason: 'too deep' })]);
});

test('at its end it waits for what is under way and no longer', async () => {
  answer = () => ({ kind: 'unavailable', message: 'no route' });
  abandoned.gone(named('a'));
  await clock.advance(1_000);
  await abandoned.stop();
  abandoned.gone(named('b'));
  expect(kept).toEqual([]);
});
