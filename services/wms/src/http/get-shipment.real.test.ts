/** GET /shipments/:orderId, on a real database. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  ask,
  documentedStatuses,
  payloadsOf,
  runConsumer,
  type RunningConsumer,
} from '../../../../tests/services/running-consumers.ts';

let wms: RunningConsumer;

beforeAll(async () => {
  wms = await runConsumer('wms');
});
afterAll(() => wms.close());

test('shows what was heard of the order', async () => {
  await wms.sender.send({ type: 'stock.lock', data: payloadsOf('o1').created });
  expect(await ask(`${wms.url}/shipments/o1`)).toMatchObject({
    status: 200,
    body: { orderId: 'o1', state: 'LOCKED' },
  });
});

test('of an order nobody has told of is 404', async () => {
  expect(await ask(`${wms.url}/shipments/unknown`)).toMatchObject({
    status: 404,
    type: 'application/problem+json',
    body: { code: 'unknown-order', detail: expect.stringContaining('unknown') },
  });
});

test.each(['UPPER', '-', 'a%2Fb', 'a%00', `o${'x'.repeat(50)}`])(
  'of the order id %s is 400 and names the field',
  async (orderId) => {
    expect(await ask(`${wms.url}/shipments/${orderId}`)).toMatchObject({
      status: 400,
      type: 'application/problem+json',
      body: { detail: expect.stringMatching(/^orderId: /) },
    });
  },
);

test('documents every status it answers', async () => {
  const documented = await documentedStatuses(wms.url, 'get', '/shipments/{orderId}');
  expect(documented).toEqual(['200', '400', '404', '503', 'default']);
});
