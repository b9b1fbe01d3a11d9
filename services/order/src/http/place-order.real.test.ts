/** POST /orders: idempotency, waiting, and what the customer hears. The test plays the controller. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../../local/deadline.ts';
import { callOrderBranch, orderView, placeOrder, TEAPOTS } from '../../../../tests/services/order-client.ts';
import { runOrder, type RunningTestService } from '../../../../tests/services/running.ts';
import { freshNamespace, world } from '../../../../tests/world/world.ts';
import { until } from '../../../kit/testing/until.ts';
import type { Operation } from '../../../protocol/src/index.ts';

const OUT_OF_STOCK = 'out of stock: teapot (2 wanted, 1 left) – 茶壶';
/** Much less than it takes until who waits reads again anyway: only a notification is that quick. */
const AT_ONCE_MS = 1_500;

let order: RunningTestService;
/** Another replica on the same database. */
let replica: RunningTestService;
let namespace: string;

beforeAll(async () => {
  namespace = await freshNamespace('orders');
  order = await runOrder({ kubeconfig: world().kubeconfig, namespace });
  replica = await runOrder({ kubeconfig: world().kubeconfig, namespace, databaseUrl: order.databaseUrl });
}, 30_000);
afterAll(async () => {
  await replica.close();
  await order.close();
});

async function call(
  orderId: string,
  operation: Operation,
  to = order,
  words: { reason?: string; detail?: string } = {},
) {
  const answer = await callOrderBranch(to.url, { orderId, namespace, operation, ...words });
  expect(answer.status).toBe(200);
}

async function confirmed(orderId: string, by = order): Promise<void> {
  await call(orderId, 'try', by);
  await call(orderId, 'confirm', by);
}

async function cancelled(orderId: string, by = order): Promise<void> {
  await call(orderId, 'try', by);
  await call(orderId, 'cancel', by, { reason: 'Refused', detail: OUT_OF_STOCK });
}

/** The order under this key, as soon as it has been accepted. */
function acceptedUnder(key: string): Promise<string> {
  return waitFor(
    async () => {
      const { rows } = await order.database.query<{ readonly order_id: string }>(
        'select order_id from order_request where idempotency_key = $1',
        [key],
      );
      return rows[0]?.order_id;
    },
    { what: 'the request to be accepted', deadlineMs: 5_000, everyMs: 10 },
  );
}

/** As a customer does who is told to ask again: nineteen wait for the twentieth's row, and no wait for the database is endless. */
function placedWith({ url }: RunningTestService, key: string) {
  const answered = async () => {
    const answer = await placeOrder(url, { key });
    return answer.status !== 503 && answer;
  };
  return waitFor(answered, { what: 'an answer other than 503', deadlineMs: 20_000 });
}

/** So many connections wait for a lock. */
async function untilWaiting(connections: number): Promise<void> {
  await until(`${String(connections)} connections wait for a lock`, async () => {
    const { rowCount } = await order.database.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rowCount === connections;
  });
}

async function rowsOf(table: 'order_request' | 'creation', orderId: string): Promise<number> {
  const { rowCount } = await order.database.query(`select from ${table} where order_id = $1`, [orderId]);
  return rowCount ?? 0;
}

describe('a first request', () => {
  test('is answered 202 with the order, its status and its transaction, and stored with its outbox row', async () => {
    const { status, headers, body } = await placeOrder(order.url);
    expect(status).toBe(202);
    expect(body).toEqual({ orderId: body.orderId, status: 'INIT', transaction: `create-${body.orderId}` });
    expect(body.orderId).toMatch(/^[a-z][a-z0-9-]{10,49}$/);
    expect(headers.get('location')).toBe(`/orders/${body.orderId}`);
    expect([await rowsOf('order_request', body.orderId), await rowsOf('creation', body.orderId)]).toEqual([1, 1]);
  });

  test('can be read as INIT at once, before any participant was called, and reads the same after the try', async () => {
    const { body } = await placeOrder(order.url);
    const accepted = await orderView(order.url, body.orderId);
    expect(accepted).toEqual({
      ...{ orderId: body.orderId, ...TEAPOTS, status: 'INIT', totalCents: 2500 },
      history: [{ status: 'INIT', at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), reason: null }],
    });
    await call(body.orderId, 'try');
    expect(await orderView(order.url, body.orderId)).toEqual(accepted);
  });
});

describe('an Idempotency-Key', () => {
  test('that comes again with the same body gives the same order, whatever the order of its members', async () => {
    const key = randomUUID();
    const first = await placeOrder(order.url, { key });
    const again = await placeOrder(replica.url, {
      key,
      body: { lines: [{ unitPriceCents: 1250, quantity: 2, skuId: 'teapot' }], userId: 'u1' },
    });
    expect(again).toMatchObject({ status: 202, body: first.body });
    expect(await rowsOf('creation', first.body.orderId)).toBe(1);
  });

  test('that comes with another body is 422', async () => {
    const key = randomUUID();
    await placeOrder(order.url, { key });
    const body = { ...TEAPOTS, lines: [{ ...TEAPOTS.lines[0], quantity: 3 }] };
    const other = await placeOrder(order.url, { key, body });
    expect(other).toMatchObject({
      status: 422,
      type: 'application/problem+json',
      body: { code: 'idempotency-key-reused' },
    });
    expect(other.body.detail).toContain('Idempotency-Key');
  });

  test("is its user's own: another user's same key is another order", async () => {
    const key = randomUUID();
    const mine = await placeOrder(order.url, { key });
    const theirs = await placeOrder(order.url, { key, body: { ...TEAPOTS, userId: 'u2' } });
    expect(theirs.status).toBe(202);
    expect(theirs.body.orderId).not.toBe(mine.body.orderId);
  });

  test('sent many times at once, to two replicas, makes one order', async () => {
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, turn) => placedWith(turn % 2 === 0 ? order : replica, key)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    const orderIds = [...new Set(answers.map(({ body }) => body.orderId))];
    expect(orderIds).toHaveLength(1);
    const { rowCount } = await order.database.query('select from order_request where idempotency_key = $1', [key]);
    expect(rowCount).toBe(1);
    expect(await rowsOf('creation', orderIds[0]!)).toBe(1);
  });

  test.each([
    ['missing', {}],
    ['empty', { 'idempotency-key': ' ' }],
    ['too long', { 'idempotency-key': 'k'.repeat(256) }],
    ['with spaces', { 'idempotency-key': 'two words' }],
    ['not ASCII', { 'idempotency-key': 'clé' }],
  ])('that is %s is 400', async (_, headers) => {
    const answer = await fetch(`${order.url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(TEAPOTS),
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('Idempotency-Key') });
  });

  test('that comes again is answered by the order as it is now', async () => {
    const key = randomUUID();
    const { body } = await placeOrder(order.url, { key });
    await confirmed(body.orderId);
    expect(await placeOrder(order.url, { key })).toMatchObject({
      status: 202,
      body: { ...body, status: 'PENDING_PAYMENT' },
    });
    expect(await placeOrder(order.url, { key, prefer: 'wait=5' })).toMatchObject({
      status: 201,
      body: { status: 'PENDING_PAYMENT' },
    });
  });

  test('of a cancelled order is 202 without a wait and 409 with one', async () => {
    const key = randomUUID();
    const { body } = await placeOrder(order.url, { key });
    await cancelled(body.orderId);
    expect(await placeOrder(order.url, { key })).toMatchObject({ status: 202, body: { ...body, status: 'CANCELLED' } });
    expect(await placeOrder(order.url, { key, prefer: 'wait=5' })).toMatchObject({
      status: 409,
      body: { reason: OUT_OF_STOCK },
    });
  });
});

describe('Prefer: wait', () => {
  test('is answered 201 when the order is confirmed', async () => {
    const key = randomUUID();
    const answer = placeOrder(order.url, { key, prefer: 'wait=20' });
    const orderId = await acceptedUnder(key);
    await confirmed(orderId);
    const confirmedAt = Date.now();
    const { status, headers, body } = await answer;
    expect(Date.now() - confirmedAt).toBeLessThan(AT_ONCE_MS);
    expect({ status, body }).toEqual({
      status: 201,
      body: { orderId, status: 'PENDING_PAYMENT', transaction: `create-${orderId}` },
    });
    expect(headers.get('preference-applied')).toBe('wait=20');
  });

  test('is answered 409 with the words of whoever refused, the order and its transaction when it is cancelled', async () => {
    const key = randomUUID();
    const answer = placeOrder(order.url, { key, prefer: 'wait=20' });
    const orderId = await acceptedUnder(key);
    await cancelled(orderId);
    const { status, type, body } = await answer;
    expect({ status, type }).toEqual({ status: 409, type: 'application/problem+json' });
    expect(body).toMatchObject({
      detail: OUT_OF_STOCK,
      reason: OUT_OF_STOCK,
      orderId,
      transaction: `create-${orderId}`,
    });
  });

  test('hears at once of a confirm that reached another replica, and so does everyone who waits for the same order', async () => {
    const key = randomUUID();
    const first = placeOrder(order.url, { key, prefer: 'wait=20' });
    const orderId = await acceptedUnder(key);
    const repeats = Array.from({ length: 5 }, (_, turn) =>
      placeOrder(turn % 2 === 0 ? order.url : replica.url, { key, prefer: 'wait=20' }),
    );
    await confirmed(orderId, replica);
    const confirmedAt = Date.now();
    const answers = await Promise.all([first, ...repeats]);
    expect(Date.now() - confirmedAt).toBeLessThan(AT_ONCE_MS);
    expect(answers.map(({ status, body }) => [status, body.orderId])).toEqual(answers.map(() => [201, orderId]));
  });

  test('hears at once also where the confirm came to a replica at which somebody is only about to wait for the same order', async () => {
    const key = randomUUID();
    const first = placeOrder(order.url, { key, prefer: 'wait=20' });
    const orderId = await acceptedUnder(key);
    await call(orderId, 'try', replica);
    const other = await order.database.connect();
    let repeat: ReturnType<typeof placeOrder>;
    try {
      await other.query('begin');
      await other.query('select from creation where order_id = $1 for update', [orderId]);
      const confirming = call(orderId, 'confirm', replica);
      await untilWaiting(1);
      repeat = placeOrder(replica.url, { key, prefer: 'wait=20' });
      await untilWaiting(2);
      await other.query('commit');
      await confirming;
    } finally {
      other.release();
    }
    const confirmedAt = Date.now();
    expect((await Promise.all([first, repeat])).map(({ status }) => status)).toEqual([201, 201]);
    expect(Date.now() - confirmedAt).toBeLessThan(AT_ONCE_MS);
  });

  test('that begins later than the order, on another replica, hears of its end as well', async () => {
    const key = randomUUID();
    const { body } = await placeOrder(order.url, { key });
    const answer = placeOrder(replica.url, { key, prefer: 'wait=20' });
    await waitFor(
      async () => {
        const { rows } = await order.database.query<{ readonly awaited: boolean }>(
          'select awaited from creation where order_id = $1',
          [body.orderId],
        );
        return rows[0]?.awaited;
      },
      { what: 'the repeat to wait', deadlineMs: 5_000, everyMs: 10 },
    );
    await cancelled(body.orderId);
    const cancelledAt = Date.now();
    expect(await answer).toMatchObject({ status: 409 });
    expect(Date.now() - cancelledAt).toBeLessThan(AT_ONCE_MS);
  });

  test('in vain is answered 202', async () => {
    const { status, body } = await placeOrder(order.url, { prefer: 'wait=1' });
    expect({ status, body }).toMatchObject({ status: 202, body: { status: 'INIT' } });
  });

  test('ends with 202 when the service shuts down', async () => {
    const third = await runOrder({ kubeconfig: world().kubeconfig, namespace, databaseUrl: order.databaseUrl });
    const key = randomUUID();
    const answer = placeOrder(third.url, { key, prefer: 'wait=30' });
    await acceptedUnder(key);
    await third.close();
    expect(await answer).toMatchObject({ status: 202, body: { status: 'INIT' } });
  });

  test('survives the loss of the connection that brings the news', async () => {
    const key = randomUUID();
    const answer = placeOrder(order.url, { key, prefer: 'wait=20' });
    const orderId = await acceptedUnder(key);
    await order.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`,
    );
    await confirmed(orderId);
    expect(await answer).toMatchObject({ status: 201 });
  });
});
