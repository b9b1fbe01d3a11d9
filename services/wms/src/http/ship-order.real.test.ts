/** POST /shipments/:orderId/ship, on a real database. What becomes of its message is in shipped-message.real.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  ask,
  documentedStatuses,
  payloadsOf,
  runConsumer,
  type RunningConsumer,
} from '../../../../tests/services/running-consumers.ts';

let wms: RunningConsumer;
let orders = 0;

beforeAll(async () => {
  wms = await runConsumer('wms');
});
afterAll(() => wms.close());

async function orderThatIs(state: 'LOCKED' | 'OUTBOUND' | 'RELEASED'): Promise<string> {
  const orderId = `o${String(++orders)}`;
  const { created, paid, closed } = payloadsOf(orderId);
  const message = {
    LOCKED: { type: 'stock.lock', data: created },
    OUTBOUND: { type: 'stock.outbound', data: paid },
    RELEASED: { type: 'stock.release', data: closed },
  }[state];
  expect(await wms.sender.send(message)).toMatchObject({ result: 'delivered' });
  return orderId;
}

const ship = (orderId: string, body?: string) =>
  ask(`${wms.url}/shipments/${orderId}/ship`, { method: 'POST', ...(body === undefined ? {} : { body }) });

const stateOf = async (orderId: string): Promise<unknown> => (await ask(`${wms.url}/shipments/${orderId}`)).body.state;

async function toldOf(orderId: string): Promise<readonly string[]> {
  const { rows } = await wms.database.query<{ id: string }>('select id from ordertx_outbox where subject = $1', [
    orderId,
  ]);
  return rows.map(({ id }) => id);
}

test('ships what is OUTBOUND and tells the order service', async () => {
  const orderId = await orderThatIs('OUTBOUND');
  expect(await ship(orderId)).toMatchObject({ status: 200, body: { orderId, state: 'SHIPPED' } });
  expect(await stateOf(orderId)).toBe('SHIPPED');
  expect(await toldOf(orderId)).toEqual([`wms/wms.shipped/${orderId}`]);
});

test('takes an empty object as body, too', async () => {
  expect(await ship(await orderThatIs('OUTBOUND'), '{}')).toMatchObject({ status: 200 });
});

test('repeated gives the same answer and tells nothing, also once the message is delivered', async () => {
  const orderId = await orderThatIs('OUTBOUND');
  const first = await ship(orderId);
  expect(await ship(orderId)).toEqual(first);
  expect(await toldOf(orderId)).toHaveLength(1);
  await wms.database.query('delete from ordertx_outbox where subject = $1', [orderId]);
  expect(await ship(orderId)).toEqual(first);
  expect(await toldOf(orderId)).toEqual([]);
});

test('ten times at once gives one answer, one shipment and one message', async () => {
  const orderId = await orderThatIs('OUTBOUND');
  const answers = await Promise.all(Array.from({ length: 10 }, () => ship(orderId)));
  for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { orderId, state: 'SHIPPED' } });
  expect(await toldOf(orderId)).toHaveLength(1);
});

describe('changes nothing and tells nothing', () => {
  test.each([
    ['LOCKED', 'it is LOCKED, not OUTBOUND: nobody has told the warehouse that it is paid'],
    ['RELEASED', 'it is RELEASED: the order was closed'],
  ] as const)('of what is %s: 409', async (state, why) => {
    const orderId = await orderThatIs(state);
    const detail = `order ${orderId} cannot be shipped: ${why}`;
    expect(await ship(orderId)).toMatchObject({
      status: 409,
      type: 'application/problem+json',
      body: { status: 409, code: 'wrong-state', detail, orderId, state },
    });
    expect(await stateOf(orderId)).toBe(state);
    expect(await toldOf(orderId)).toEqual([]);
  });

  test('of what nobody has told of: 404', async () => {
    expect(await ship('unknown')).toMatchObject({ status: 404, body: { code: 'unknown-order' } });
    expect(await toldOf('unknown')).toEqual([]);
  });

  test.each<[string, string, string, number, RegExp]>([
    ['an order id that is none', 'NONE', '', 400, /^orderId: /],
    ['an order id that is too long', `o${'x'.repeat(50)}`, '', 400, /^orderId: /],
    ['a field', 'any', '{"carrier":"any"}', 400, /^carrier: is not a known field/],
    ['a list', 'any', '[1]', 400, /^body: /],
    ['broken JSON', 'any', '{"a":', 400, /^body: /],
    ['a megabyte', 'any', JSON.stringify({ note: 'x'.repeat(1_000_000) }), 413, /^body: /],
  ])('with %s: a 4xx that names it', async (_, orderId, body, status, detail) => {
    expect(await ship(orderId, body === '' ? undefined : body)).toMatchObject({
      status,
      type: 'application/problem+json',
      body: { detail: expect.stringMatching(detail) },
    });
  });

  test('while somebody else holds the row for too long: 503, and later it goes on', async () => {
    const orderId = await orderThatIs('OUTBOUND');
    const holder = await wms.database.connect();
    await holder.query('begin');
    await holder.query('select from shipment where order_id = $1 for update', [orderId]);
    expect(await ship(orderId)).toMatchObject({ status: 503, type: 'application/problem+json' });
    await holder.query('rollback');
    holder.release();
    expect(await stateOf(orderId)).toBe('OUTBOUND');
    expect(await toldOf(orderId)).toEqual([]);
    expect(await ship(orderId)).toMatchObject({ status: 200 });
  });

  test('where the message cannot be written: the order is not shipped without it', async () => {
    const orderId = await orderThatIs('OUTBOUND');
    await wms.database.query(`alter table ordertx_outbox add constraint no_room check (subject <> '${orderId}')`);
    expect(await ship(orderId)).toMatchObject({ status: 500 });
    expect(await stateOf(orderId)).toBe('OUTBOUND');
    await wms.database.query('alter table ordertx_outbox drop constraint no_room');
    expect(await ship(orderId)).toMatchObject({ status: 200, body: { state: 'SHIPPED' } });
    expect(await toldOf(orderId)).toHaveLength(1);
  });
});

test('documents every status it answers', async () => {
  const documented = await documentedStatuses(wms.url, 'post', '/shipments/{orderId}/ship');
  expect(documented).toEqual(['200', '400', '404', '409', '413', '415', '503', 'default']);
});
