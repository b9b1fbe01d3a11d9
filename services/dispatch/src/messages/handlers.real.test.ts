/** What dispatch hears by its stream, whatever comes when; on a real Redis and a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  arrivalsOf,
  ask,
  payloadsOf,
  runConsumer,
  type RunningConsumer,
} from '../../../../tests/services/running-consumers.ts';
import type { Receipt } from '../../../protocol/src/index.ts';
import type { DispatchMessage } from '../next-state.ts';

let dispatch: RunningConsumer;
let orders = 0;

beforeAll(async () => {
  dispatch = await runConsumer('dispatch');
});
afterAll(() => dispatch.close());

const newOrderId = (): string => `o${String(++orders)}`;

function send(type: DispatchMessage, orderId: string, id?: string): Promise<Receipt> {
  const { created, paid, closed } = payloadsOf(orderId);
  const data = { 'dispatch.lock': created, 'dispatch.schedule': paid, 'dispatch.unlock': closed }[type];
  return dispatch.sender.send({ type, data, ...(id === undefined ? {} : { id }) });
}

async function stateOf(orderId: string): Promise<unknown> {
  return (await ask(`${dispatch.url}/dispatches/${orderId}`)).body.state;
}

describe('one message', () => {
  test.each([
    ['dispatch.lock', 'LOCKED'],
    ['dispatch.schedule', 'SCHEDULED'],
    ['dispatch.unlock', 'RELEASED'],
  ] as const)('%s leaves its order %s and is answered with a receipt', async (type, state) => {
    const orderId = newOrderId();
    expect(await send(type, orderId, `shop/t-${orderId}/m`)).toEqual({
      id: `shop/t-${orderId}/m`,
      consumer: 'dispatch',
      result: 'delivered',
    });
    expect(await stateOf(orderId)).toBe(state);
  });
});

describe('messages of one order', () => {
  const arrivals = [
    ...arrivalsOf<DispatchMessage>(['dispatch.lock', 'dispatch.schedule']).map((sent) => ({ sent, end: 'SCHEDULED' })),
    ...arrivalsOf<DispatchMessage>(['dispatch.lock', 'dispatch.unlock']).map((sent) => ({ sent, end: 'RELEASED' })),
  ];

  test.each(arrivals)('that arrive as $sent, each of them three times, end $end', async ({ sent, end }) => {
    const orderId = newOrderId();
    for (const type of sent) {
      expect(await send(type, orderId)).toMatchObject({ result: 'delivered' });
      expect(await send(type, orderId)).toMatchObject({ result: 'delivered' });
    }
    expect(await stateOf(orderId)).toBe(end);
    for (const type of sent)
      expect(await send(type, orderId, `shop/other/${type}`)).toMatchObject({ result: 'delivered' });
    expect(await stateOf(orderId)).toBe(end);
  });

  test.each(
    arrivalsOf<DispatchMessage>(['dispatch.lock', 'dispatch.schedule', 'dispatch.unlock']).map((sent) => ({ sent })),
  )(
    'that say both paid and closed, as $sent: the later of the two is refused for people, however often it comes',
    async ({ sent }) => {
      const orderId = newOrderId();
      const [winner, loser] = sent.filter((type) => type !== 'dispatch.lock');
      const receipts = new Map<string, Receipt>();
      for (const type of sent) receipts.set(type, await send(type, orderId));
      expect(receipts.get('dispatch.lock')).toMatchObject({ result: 'delivered' });
      expect(receipts.get(winner!)).toMatchObject({ result: 'delivered' });
      const refused = {
        result: 'refused',
        reason:
          loser === 'dispatch.schedule'
            ? `the order cannot be scheduled as paid: it was released as closed before, and someone must look which is true`
            : `the order cannot be released as closed: it was scheduled as paid before, and someone must look which is true`,
      };
      expect(receipts.get(loser!)).toMatchObject(refused);
      expect(await send(loser!, orderId)).toMatchObject(refused);
      expect(await stateOf(orderId)).toBe(winner === 'dispatch.schedule' ? 'SCHEDULED' : 'RELEASED');
    },
  );

  test('that arrive all at once end right, and so do those of all others', async () => {
    const orderIds = Array.from({ length: 20 }, newOrderId);
    const receipts = await Promise.all(
      orderIds.flatMap((orderId) => [
        send('dispatch.schedule', orderId),
        send('dispatch.lock', orderId),
        send('dispatch.schedule', orderId),
        send('dispatch.lock', orderId, `shop/other-${orderId}/lock`),
      ]),
    );
    expect(new Set(receipts.map(({ result }) => result))).toEqual(new Set(['delivered']));
    expect(new Set(await Promise.all(orderIds.map(stateOf)))).toEqual(new Set(['SCHEDULED']));
  });
});

describe('what is no message of this service', () => {
  const { created, paid, closed } = payloadsOf('bad');

  test.each<[string, string, unknown, RegExp]>([
    ['an unknown type', 'dispatch.lose', created, /^type: .*dispatch\.lock, dispatch\.schedule, dispatch\.unlock$/],
    ['another service’s type', 'stock.lock', created, /^type: /],
    ['an unknown field', 'dispatch.lock', { ...created, colour: 'red' }, /^data\.colour: is not a known field/],
    [
      'an unknown field in a line',
      'dispatch.unlock',
      { ...closed, lines: [{ ...closed.lines[0], colour: 'red' }] },
      /^data\.lines\[0\]\.colour: /,
    ],
    ['a negative amount', 'dispatch.schedule', { ...paid, amountCents: -1 }, /^data\.amountCents: /],
    [
      'a total that is not the sum',
      'dispatch.lock',
      { ...created, totalCents: 1 },
      /^data\.totalCents: must be the sum/,
    ],
    ['another message’s payload', 'dispatch.schedule', created, /data\.paymentId: /],
    ['an order id that is none', 'dispatch.lock', { ...created, orderId: 'NONE' }, /^data\.orderId: /],
    ['no lines', 'dispatch.lock', { ...created, lines: undefined }, /data\.lines: /],
  ])('%s is refused with a reason that names it', async (_, type, data, reason) => {
    expect(await dispatch.sender.send({ type, data, id: 'shop/bad/m' })).toEqual({
      id: 'shop/bad/m',
      consumer: 'dispatch',
      result: 'refused',
      reason: expect.stringMatching(reason),
    });
    expect((await ask(`${dispatch.url}/dispatches/bad`)).status).toBe(404);
  });

  test('does not use up its id: once mended it is delivered', async () => {
    const orderId = newOrderId();
    const data = payloadsOf(orderId).paid;
    const message = { type: 'dispatch.schedule', id: `shop/pay-${orderId}/m` };
    expect(await dispatch.sender.send({ ...message, data: { ...data, amountCents: -1 } })).toMatchObject({
      result: 'refused',
    });
    expect(await dispatch.sender.send({ ...message, data })).toMatchObject({ result: 'delivered' });
    expect(await stateOf(orderId)).toBe('SCHEDULED');
  });
});
