/** What the warehouse hears by its stream, whatever comes when; on a real Redis and a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  arrivalsOf,
  ask,
  payloadsOf,
  runConsumer,
  type RunningConsumer,
} from '../../../../tests/services/running-consumers.ts';
import type { Receipt } from '../../../protocol/src/index.ts';
import type { ShipmentMessage } from '../next-state.ts';

let wms: RunningConsumer;
let orders = 0;

beforeAll(async () => {
  wms = await runConsumer('wms');
});
afterAll(() => wms.close());

const newOrderId = (): string => `o${String(++orders)}`;

function send(type: ShipmentMessage, orderId: string, id?: string): Promise<Receipt> {
  const { created, paid, closed } = payloadsOf(orderId);
  const data = { 'stock.lock': created, 'stock.outbound': paid, 'stock.release': closed }[type];
  return wms.sender.send({ type, data, ...(id === undefined ? {} : { id }) });
}

async function stateOf(orderId: string): Promise<unknown> {
  return (await ask(`${wms.url}/shipments/${orderId}`)).body.state;
}

describe('one message', () => {
  test.each([
    ['stock.lock', 'LOCKED'],
    ['stock.outbound', 'OUTBOUND'],
    ['stock.release', 'RELEASED'],
  ] as const)('%s leaves its order %s and is answered with a receipt', async (type, state) => {
    const orderId = newOrderId();
    expect(await send(type, orderId, `shop/t-${orderId}/m`)).toEqual({
      id: `shop/t-${orderId}/m`,
      consumer: 'wms',
      result: 'delivered',
    });
    expect(await stateOf(orderId)).toBe(state);
  });
});

describe('messages of one order', () => {
  const arrivals = [
    ...arrivalsOf<ShipmentMessage>(['stock.lock', 'stock.outbound']).map((sent) => ({ sent, end: 'OUTBOUND' })),
    ...arrivalsOf<ShipmentMessage>(['stock.lock', 'stock.release']).map((sent) => ({ sent, end: 'RELEASED' })),
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

  test.each(arrivalsOf<ShipmentMessage>(['stock.lock', 'stock.outbound', 'stock.release']).map((sent) => ({ sent })))(
    'that say both paid and closed, as $sent: the later of the two is refused for people, however often it comes',
    async ({ sent }) => {
      const orderId = newOrderId();
      const [winner, loser] = sent.filter((type) => type !== 'stock.lock');
      const receipts = new Map<string, Receipt>();
      for (const type of sent) receipts.set(type, await send(type, orderId));
      expect(receipts.get('stock.lock')).toMatchObject({ result: 'delivered' });
      expect(receipts.get(winner!)).toMatchObject({ result: 'delivered' });
      const refused = {
        result: 'refused',
        reason:
          loser === 'stock.outbound'
            ? `the order cannot go outbound as paid: it was released as closed before, and someone must look which is true`
            : `the order cannot be released as closed: it went outbound as paid before, and someone must look which is true`,
      };
      expect(receipts.get(loser!)).toMatchObject(refused);
      expect(await send(loser!, orderId)).toMatchObject(refused);
      expect(await stateOf(orderId)).toBe(winner === 'stock.outbound' ? 'OUTBOUND' : 'RELEASED');
    },
  );

  test('that arrive all at once end right, and so do those of all others', async () => {
    const orderIds = Array.from({ length: 20 }, newOrderId);
    const receipts = await Promise.all(
      orderIds.flatMap((orderId) => [
        send('stock.outbound', orderId),
        send('stock.lock', orderId),
        send('stock.outbound', orderId),
        send('stock.lock', orderId, `shop/other-${orderId}/lock`),
      ]),
    );
    expect(new Set(receipts.map(({ result }) => result))).toEqual(new Set(['delivered']));
    expect(new Set(await Promise.all(orderIds.map(stateOf)))).toEqual(new Set(['OUTBOUND']));
  });
});

describe('an order that has been shipped', () => {
  test.each(arrivalsOf<ShipmentMessage>(['stock.lock', 'stock.outbound']).map((late) => ({ late })))(
    'stays so, whatever comes late: $late',
    async ({ late }) => {
      const orderId = newOrderId();
      await send('stock.outbound', orderId);
      await ask(`${wms.url}/shipments/${orderId}/ship`, { method: 'POST' });
      for (const type of late) {
        expect(await send(type, orderId, `shop/late-${orderId}/${type}`)).toMatchObject({ result: 'delivered' });
        expect(await stateOf(orderId)).toBe('SHIPPED');
      }
    },
  );

  test('cannot be released any more, and people are told', async () => {
    const orderId = newOrderId();
    await send('stock.outbound', orderId);
    await ask(`${wms.url}/shipments/${orderId}/ship`, { method: 'POST' });
    expect(await send('stock.release', orderId)).toMatchObject({
      result: 'refused',
      reason: `the order cannot be released as closed: it has been shipped, and someone must look why it was closed`,
    });
    expect(await stateOf(orderId)).toBe('SHIPPED');
  });
});

test.each<ShipmentMessage>(['stock.lock', 'stock.outbound', 'stock.release'])(
  '%s as the first that is heard of an order says what to pick',
  async (type) => {
    const orderId = newOrderId();
    await send(type, orderId);
    const { rows } = await wms.database.query('select lines from shipment where order_id = $1', [orderId]);
    expect(rows).toEqual([
      {
        lines: [
          { skuId: 'teapot', quantity: 2 },
          { skuId: 'cup', quantity: 6 },
        ],
      },
    ]);
  },
);

describe('what is no message of this service', () => {
  const { created, paid, closed } = payloadsOf('bad');

  test.each<[string, string, unknown, RegExp]>([
    ['an unknown type', 'stock.lose', created, /^type: .*stock\.lock, stock\.outbound, stock\.release$/],
    ['another service’s type', 'dispatch.lock', created, /^type: /],
    ['an unknown field', 'stock.lock', { ...created, colour: 'red' }, /^data\.colour: is not a known field/],
    [
      'an unknown field in a line',
      'stock.release',
      { ...closed, lines: [{ ...closed.lines[0], colour: 'red' }] },
      /^data\.lines\[0\]\.colour: /,
    ],
    ['a negative amount', 'stock.outbound', { ...paid, amountCents: -1 }, /^data\.amountCents: /],
    ['a total that is not the sum', 'stock.lock', { ...created, totalCents: 1 }, /^data\.totalCents: must be the sum/],
    ['another message’s payload', 'stock.outbound', created, /data\.paymentId: /],
    ['an order id that is none', 'stock.lock', { ...created, orderId: 'NONE' }, /^data\.orderId: /],
    ['no lines', 'stock.lock', { ...created, lines: undefined }, /data\.lines: /],
  ])('%s is refused with a reason that names it', async (_, type, data, reason) => {
    expect(await wms.sender.send({ type, data, id: 'shop/bad/m' })).toEqual({
      id: 'shop/bad/m',
      consumer: 'wms',
      result: 'refused',
      reason: expect.stringMatching(reason),
    });
    expect((await ask(`${wms.url}/shipments/bad`)).status).toBe(404);
  });

  test('does not use up its id: once mended it is delivered', async () => {
    const orderId = newOrderId();
    const data = payloadsOf(orderId).paid;
    const message = { type: 'stock.outbound', id: `shop/pay-${orderId}/m` };
    expect(await wms.sender.send({ ...message, data: { ...data, amountCents: -1 } })).toMatchObject({
      result: 'refused',
    });
    expect(await wms.sender.send({ ...message, data })).toMatchObject({ result: 'delivered' });
    expect(await stateOf(orderId)).toBe('OUTBOUND');
  });
});
