/** What the warehouse does besides following an order as tests/services/order-followers.real.test.ts says: it picks and it ships. */
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
