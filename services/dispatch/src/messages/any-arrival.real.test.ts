/**
 * However an order's messages arrive, drawn by fast-check: again, in any order, several at the same moment, under their own ids or
 * under others. On a real database.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  anyArrival,
  payloadsOf,
  received,
  runConsumer,
  type RunningConsumer,
  type Waves,
} from '../../../../tests/services/running-consumers.ts';
import { handleOnce } from '../../../kit/src/messages/inbox.ts';
import type { DispatchMessage } from '../next-state.ts';
import { handlers } from './handlers.ts';

const RUNS = 100;

let dispatch: RunningConsumer;
let orders = 0;

beforeAll(async () => {
  dispatch = await runConsumer('dispatch');
});
afterAll(() => dispatch.close());

interface Delivered {
  /** After each wave. */
  readonly states: readonly (string | undefined)[];
  readonly inboxRows: number;
  /** By type: what its deliveries were answered with. */
  readonly answers: ReadonlyMap<DispatchMessage, ReadonlySet<string>>;
}

async function deliver(waves: Waves<DispatchMessage>): Promise<Delivered> {
  const { database } = dispatch;
  const orderId = `o${String(++orders)}`;
  const { created, paid, closed } = payloadsOf(orderId);
  const data = { 'dispatch.lock': created, 'dispatch.schedule': paid, 'dispatch.unlock': closed };
  const answers = new Map<DispatchMessage, Set<string>>();
  const states: (string | undefined)[] = [];
  for (const wave of waves) {
    await Promise.all(
      wave.map(async ({ type, copy }) => {
        const handler = handlers.find((each) => each.type === type);
        if (handler?.kind !== 'once') throw new Error(`${type} is not handled once`);
        const message = received({ id: `shop/${orderId}-${String(copy)}/${type}`, type, data: data[type] });
        const { kind } = await handleOnce(database, handler, message);
        answers.set(type, (answers.get(type) ?? new Set()).add(kind));
      }),
    );
    const { rows } = await database.query<{ state: string }>('select state from dispatch where order_id = $1', [
      orderId,
    ]);
    states.push(rows[0]?.state);
  }
  const inbox = await database.query('select from ordertx_inbox where id like $1', [`shop/${orderId}-%`]);
  return { states, inboxRows: inbox.rowCount ?? 0, answers };
}

test.each<{ types: readonly DispatchMessage[]; end: string }>([
  { types: ['dispatch.lock'], end: 'LOCKED' },
  { types: ['dispatch.lock', 'dispatch.schedule'], end: 'SCHEDULED' },
  { types: ['dispatch.lock', 'dispatch.unlock'], end: 'RELEASED' },
])('$types end $end, are the furthest of what has come at any time, and are all delivered', async ({ types, end }) => {
  await fc.assert(
    fc.asyncProperty(anyArrival(types), async (waves) => {
      const { states, inboxRows, answers } = await deliver(waves);
      const endsIn = waves.findIndex((wave) => wave.some(({ type }) => type !== 'dispatch.lock'));
      expect(states).toEqual(waves.map((_, index) => (index < endsIn ? 'LOCKED' : end)));
      for (const kinds of answers.values()) expect(kinds).toEqual(new Set(['delivered']));
      expect(inboxRows).toBe(new Set(waves.flat().map(({ type, copy }) => `${type} ${String(copy)}`)).size);
    }),
    { numRuns: RUNS },
  );
});

test('of a payment and a closing that both claim to have won, one is delivered and kept, the other one always refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyArrival<DispatchMessage>(['dispatch.lock', 'dispatch.schedule', 'dispatch.unlock']),
      async (waves) => {
        const { states, answers } = await deliver(waves);
        const state = states.at(-1);
        const [kept, refused] =
          state === 'SCHEDULED'
            ? (['dispatch.schedule', 'dispatch.unlock'] as const)
            : (['dispatch.unlock', 'dispatch.schedule'] as const);
        expect(['SCHEDULED', 'RELEASED']).toContain(state);
        expect(answers.get('dispatch.lock')).toEqual(new Set(['delivered']));
        expect(answers.get(kept)).toEqual(new Set(['delivered']));
        expect(answers.get(refused)).toEqual(new Set(['refused']));
      },
    ),
    { numRuns: RUNS },
  );
});
