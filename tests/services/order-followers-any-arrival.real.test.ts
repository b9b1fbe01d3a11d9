/**
 * However an order's messages arrive at dispatch and at the warehouse, drawn by fast-check: again, in any order, several at the same
 * moment, under their own ids or under others. On a real database.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { handleOnce } from '../../services/kit/src/messages/inbox.ts';
import { FOLLOWERS, handlerOf, messageOf, stateIn, type Follower, type OrderEvent } from './order-followers.ts';
import {
  anyArrival,
  deliverWaves,
  received,
  runConsumer,
  type RunningConsumer,
  type Waves,
} from './running-consumers.ts';

const RUNS = 100;

let orders = 0;

async function deliverAll(follower: Follower, service: RunningConsumer, waves: Waves<OrderEvent>) {
  const orderId = `o${String(++orders)}`;
  const { looks: states, answers } = await deliverWaves(
    waves,
    async ({ type: event, copy }) => {
      const { type, data } = messageOf(follower, event, orderId);
      const id = `shop/${orderId}-${String(copy)}/${type}`;
      return (await handleOnce(service.database, handlerOf(follower, type), received({ id, type, data }))).kind;
    },
    () => stateIn(follower, service, orderId),
  );
  const inbox = await service.database.query('select from ordertx_inbox where id like $1', [`shop/${orderId}-%`]);
  return { states, inboxRows: inbox.rowCount ?? 0, answers };
}

describe.each(FOLLOWERS)('$name', (follower) => {
  let service: RunningConsumer;
  beforeAll(async () => {
    service = await runConsumer(follower.name);
  });
  afterAll(() => service.close());

  test.each<{ events: readonly OrderEvent[]; end: OrderEvent }>([
    { events: ['created'], end: 'created' },
    { events: ['created', 'paid'], end: 'paid' },
    { events: ['created', 'closed'], end: 'closed' },
  ])('$events are the furthest of what has come at any time, and are all delivered', async ({ events, end }) => {
    await fc.assert(
      fc.asyncProperty(anyArrival(events), async (waves) => {
        const { states, inboxRows, answers } = await deliverAll(follower, service, waves);
        const endsIn = waves.findIndex((wave) => wave.some(({ type }) => type !== 'created'));
        expect(states).toEqual(waves.map((_, index) => follower.states[index < endsIn ? 'created' : end]));
        for (const kinds of answers.values()) expect(kinds).toEqual(new Set(['delivered']));
        expect(inboxRows).toBe(new Set(waves.flat().map(({ type, copy }) => `${type} ${String(copy)}`)).size);
      }),
      { numRuns: RUNS },
    );
  });

  test('of a payment and a closing that both claim to have won, one is delivered and kept, the other one always refused', async () => {
    await fc.assert(
      fc.asyncProperty(anyArrival<OrderEvent>(['created', 'paid', 'closed']), async (waves) => {
        const { states, answers } = await deliverAll(follower, service, waves);
        const [kept, refused] =
          states.at(-1) === follower.states.paid ? (['paid', 'closed'] as const) : (['closed', 'paid'] as const);
        expect(states.at(-1)).toBe(follower.states[kept]);
        expect(answers.get('created')).toEqual(new Set(['delivered']));
        expect(answers.get(kept)).toEqual(new Set(['delivered']));
        expect(answers.get(refused)).toEqual(new Set(['refused']));
      }),
      { numRuns: RUNS },
    );
  });
});
