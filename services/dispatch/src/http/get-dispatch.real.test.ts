/** GET /dispatches/:orderId, on a real database. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  ask,
  documentedStatuses,
  payloadsOf,
  runConsumer,
  type RunningConsumer,
} from '../../../../tests/services/running-consumers.ts';

let dispatch: RunningConsumer;

beforeAll(async () => {
  dispatch = await runConsumer('dispatch');
});
afterAll(() => dispatch.close());

test('shows what was heard of the order', async () => {
  await dispatch.sender.send({ type: 'dispatch.lock', data: payloadsOf('o1').created });
  expect(await ask(`${dispatch.url}/dispatches/o1`)).toMatchObject({
    status: 200,
    body: { orderId: 'o1', state: 'LOCKED' },
  });
});

test('of an order nobody has told of is 404', async () => {
  expect(await ask(`${dispatch.url}/dispatches/unknown`)).toMatchObject({
    status: 404,
    type: 'application/problem+json',
    body: { code: 'unknown-order', detail: expect.stringContaining('unknown') },
  });
});

test.each(['UPPER', '-', 'a%2Fb', 'a%00', `o${'x'.repeat(50)}`])(
  'of the order id %s is 400 and names the field',
  async (orderId) => {
    expect(await ask(`${dispatch.url}/dispatches/${orderId}`)).toMatchObject({
      status: 400,
      type: 'application/problem+json',
      body: { detail: expect.stringMatching(/^orderId: /) },
    });
  },
);

test('documents every status it answers', async () => {
  expect(await documentedStatuses(dispatch.url, 'get', '/dispatches/{orderId}')).toEqual([
    '200',
    '400',
    '404',
    '503',
    'default',
  ]);
});
