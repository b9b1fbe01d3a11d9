/** The scanner that closes orders whose time to pay is over, on a real database and a real API server. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../local/deadline.ts';
import { TEAPOTS } from '../../../tests/services/order-client.ts';
import { DEADLINE_MS, done, OrderFixture } from '../testing/order-fixture.ts';
import { ORDER_STATUSES } from './orders.ts';

/** What a replica begins per scan at most. */
const PORTION = 50;
const OVERDUE = 200;

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('scan');
}, 30_000);
afterAll(() => fixture.close());

const firstClose = (orderId: string): string => `${fixture.namespace}/close-${orderId}-1`;

/** Orders that wait for their payment since long ago, all there at once; the last one waits the longest. */
async function backlog(prefix: string, count: number): Promise<readonly string[]> {
  const orderIds = Array.from({ length: count }, (_, index) => `${prefix}-${String(index)}`);
  await fixture.service.database.query(
    `insert into orders (order_id, transaction, user_id, total_cents, lines, status, close_at)
     select order_id, $1 || '/create-' || order_id, 'u1', 2500, $2::jsonb, 'PENDING_PAYMENT',
            now() - interval '1 hour' - make_interval(secs => position)
     from unnest($3::text[]) with ordinality as wished (order_id, position)`,
    [fixture.namespace, JSON.stringify(TEAPOTS.lines), orderIds],
  );
  return orderIds;
}

/** Resolves once a scan has been through all that is overdue now: this order is the one that is overdue the shortest. */
async function scanned(): Promise<void> {
  const orderId = await fixture.placed();
  await fixture.overdue(orderId);
  await fixture.begun(orderId, firstClose(orderId));
}

/** The orders whose closes were begun, those of one scan together. */
async function portionsOf(prefix: string): Promise<readonly (readonly string[])[]> {
  const { rows } = await fixture.service.database.query<{ readonly order_ids: readonly string[] }>(
    `select array_agg(order_id) as order_ids from creation
     where flow = 'close-order' and order_id like $1 group by created_at order by created_at`,
    [`${prefix}-%`],
  );
  return rows.map(({ order_ids: orderIds }) => orderIds);
}

const begunOf = (prefix: string, count: number): Promise<readonly (readonly string[])[]> =>
  waitFor(
    async () => {
      const portions = await portionsOf(prefix);
      return portions.flat().length >= count && portions;
    },
    { what: `${String(count)} closes to be begun`, deadlineMs: DEADLINE_MS },
  );

test('an order that nobody pays in time gets a close-order transaction, one, with what it consists of', async () => {
  const hasty = await OrderFixture.open('hasty', { paymentTimeoutSeconds: 1 });
  try {
    const orderId = await hasty.placed();
    const { spec, metadata } = await hasty.transactionSoon(`close-${orderId}-1`);
    expect(spec).toMatchObject({ flow: 'close-order', orderId });
    expect(spec.payload).toEqual({ orderId, lines: TEAPOTS.lines, cause: 'unpaid' });
    expect(metadata.annotations?.['ordertx.dev/traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    await done(hasty.closing(orderId, 1), 'try', 'confirm');
    const later = await hasty.placed();
    await hasty.transactionSoon(`close-${later}-1`);
    expect((await hasty.transactionNames()).toSorted()).toEqual([`close-${orderId}-1`, `close-${later}-1`].toSorted());
    expect(await hasty.row(orderId)).toMatchObject({ status: 'CLOSED', closes: 1 });
  } finally {
    await hasty.close();
  }
});

test('an order that has time left is not closed', async () => {
  const orderId = await fixture.placed();
  await scanned();
  expect(await fixture.row(orderId)).toMatchObject({ status: 'PENDING_PAYMENT', closes: 0, closing: null });
});

test('nothing is begun for an order that does not wait for its payment, however long its time has been over', async () => {
  const statuses = ORDER_STATUSES.filter((status) => status !== 'PENDING_PAYMENT');
  const orderIds = await Promise.all(statuses.map((status) => fixture.orderIn(status)));
  for (const orderId of orderIds) await fixture.overdue(orderId);
  const before = await Promise.all(orderIds.map((orderId) => fixture.seen(orderId)));
  expect(before.map(({ row }) => row.status)).toEqual(statuses);
  await scanned();
  expect(await Promise.all(orderIds.map((orderId) => fixture.seen(orderId)))).toEqual(before);
  for (const orderId of orderIds) expect(await fixture.outbox(orderId)).toEqual([]);
});

test('a close is begun again only after the last one has ended, and then under the next number', async () => {
  const orderId = await fixture.placed();
  await fixture.overdue(orderId);
  await fixture.begun(orderId, firstClose(orderId));
  const first = fixture.closing(orderId, 1);
  // Overdue as it is, the one that is begun, tried, or not even known to the API server is waited for.
  await scanned();
  await done(first, 'try');
  await scanned();
  expect((await fixture.outbox(orderId)).map(({ transaction }) => transaction)).toEqual([first.transaction]);
  await done(first, 'cancel');
  await fixture.overdue(orderId);
  await fixture.begun(orderId, fixture.closing(orderId, 2).transaction);
  expect((await fixture.transactionSoon(`close-${orderId}-2`)).spec.payload).toMatchObject({ cause: 'unpaid' });
});

test('an order that somebody holds locked holds up no other, and has its turn once it is let go', async () => {
  const client = await fixture.service.database.connect();
  try {
    const locked = await fixture.placed();
    await client.query(`update orders set close_at = now() + interval '2 seconds' where order_id = $1`, [locked]);
    await client.query('begin');
    await client.query('select from orders where order_id = $1 for update', [locked]);
    await waitFor(async () => ((await fixture.closeInSeconds(locked)) ?? 0) < 0, {
      what: 'its time to be over',
      deadlineMs: DEADLINE_MS,
    });
    await scanned();
    await scanned();
    expect(await fixture.outbox(locked)).toEqual([]);
    await client.query('commit');
    await fixture.begun(locked, firstClose(locked));
  } finally {
    client.release(true);
  }
});

test('a payment that takes an overdue order before the scanner does, keeps it', async () => {
  const orderIds = await Promise.all(Array.from({ length: 10 }, () => fixture.placed()));
  const payments = orderIds.map((orderId) => fixture.payment(orderId));
  await Promise.all(orderIds.map((orderId) => fixture.overdue(orderId)));
  await Promise.all(payments.map((payment) => done(payment, 'try', 'confirm')));
  await scanned();
  for (const orderId of orderIds) {
    expect(await fixture.status(orderId)).toBe('PAID');
    // Begun before the payment took the order, it is refused and ends.
    for (const { transaction } of await fixture.outbox(orderId)) {
      const close = fixture.closing(orderId, 1);
      expect(transaction).toBe(close.transaction);
      expect(await close.try()).toMatchObject({ status: 409 });
      await done(close, 'cancel');
    }
    expect(await fixture.row(orderId)).toMatchObject({ status: 'PAID', closing: null });
  }
});

describe('a backlog', () => {
  test('is begun in limited portions, the longest overdue first', async () => {
    const orderIds = await backlog('queue', 2 * PORTION + 20);
    const portions = await begunOf('queue', orderIds.length);
    expect(Math.max(...portions.map(({ length }) => length))).toBeLessThanOrEqual(PORTION);
    const longestFirst = orderIds.toReversed();
    for (const portion of portions) expect(new Set(portion)).toEqual(new Set(longestFirst.splice(0, portion.length)));
  });

  test('of 200 orders is begun once by three replicas together, a portion at a time', async () => {
    await Promise.all([fixture.replica(), fixture.replica()]);
    const orderIds = await backlog('shared', OVERDUE);
    const portions = await begunOf('shared', OVERDUE);
    expect(portions.flat().toSorted()).toEqual(orderIds.toSorted());
    expect(Math.max(...portions.map(({ length }) => length))).toBeLessThanOrEqual(PORTION);
    const { rows } = await fixture.service.database.query<{ readonly closes: number }>(
      `select closes from orders where order_id like 'shared-%'`,
    );
    expect(rows.map(({ closes }) => closes)).toEqual(orderIds.map(() => 1));
    const ofBacklog = async () => (await fixture.transactionNames()).filter((name) => name.startsWith('close-shared-'));
    await waitFor(async () => (await ofBacklog()).length >= OVERDUE, {
      what: 'all closes to be in the API server',
      deadlineMs: DEADLINE_MS,
    });
    await scanned();
    expect((await ofBacklog()).toSorted()).toEqual(orderIds.map((orderId) => `close-${orderId}-1`).toSorted());
  });
});
