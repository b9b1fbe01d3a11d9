/**
 * Orders of the time before they could be paid: a database that has only the first migration, with orders at every point of their
 * creation in it, and the service that starts on it today.
 */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { orderView, placeOrder, TEAPOTS } from '../../../tests/services/order-client.ts';
import { freshDatabase, freshNamespace } from '../../../tests/world/world.ts';
import { migrate } from '../../kit/src/index.ts';
import { canonical } from '../../kit/src/participant/digest.ts';
import { memoryLog } from '../../kit/testing/memory-log.ts';
import { done, OrderFixture, TOTAL_CENTS } from '../testing/order-fixture.ts';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const KEY = 'key-of-before';

/** A creation that had not ended: when it was made and is due, in seconds from now, and what the API server said to it last. */
interface Unended {
  readonly madeAt: number;
  /** Null once it was given up. */
  readonly dueAt: number | null;
  readonly error?: string;
}
const UNENDED: Readonly<Record<string, Unended>> = {
  unsent: { madeAt: -2, dueAt: -1 },
  sent: { madeAt: -60, dueAt: 3_600 },
  tried: { madeAt: -60, dueAt: 3_600 },
  refused: { madeAt: -600, dueAt: 3_600, error: 'the API server answered 422' },
  'given-up': { madeAt: -8 * 24 * 3_600, dueAt: null },
};
/** Orders that wait for their payment, and since when, in seconds from now; the one that is `soon` will be due in a moment. */
const UNPAID = { overdue: -2 * 24 * 3_600, soon: -(30 * 60 - 4), 'just-placed': -60, 'placed-too': -60 } as const;

let database: Awaited<ReturnType<typeof freshDatabase>>;
let fixture: OrderFixture;
/** The outbox as it was. */
let outboxBefore: readonly OutboxRow[];

interface OutboxRow {
  readonly order_id: string;
  readonly transaction: string;
  readonly traceparent: string;
  readonly awaited: boolean;
  readonly created_at: Date;
  readonly due_at: Date | number;
  readonly failures: number;
  readonly refused: boolean;
  readonly last_error: string | null;
}
const OUTBOX_COLUMNS = 'order_id, transaction, traceparent, awaited, created_at, due_at, failures, refused, last_error';

beforeAll(async () => {
  const namespace = await freshNamespace('old');
  database = await freshDatabase('old');
  await migrateToTheFirst(database.url);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await fill(client, namespace);
  outboxBefore = (await client.query<OutboxRow>(`select ${OUTBOX_COLUMNS} from order_creation order by order_id`)).rows;
  await client.end();
  fixture = await OrderFixture.open('old', { namespace, databaseUrl: database.url });
}, 30_000);
afterAll(async () => {
  await fixture.close();
  await database.drop();
});

/** The kit's migrations, and of the service's nothing but the first. */
async function migrateToTheFirst(connectionString: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'first-migration-'));
  const first = '0001_orders.sql';
  await copyFile(new URL(`../migrations/${first}`, import.meta.url), join(folder, first));
  await migrate({ connectionString, folder: pathToFileURL(`${folder}/`), log: memoryLog().log });
  await rm(folder, { recursive: true });
}

async function fill(client: pg.Client, namespace: string): Promise<void> {
  for (const [orderId, { madeAt, dueAt, error }] of Object.entries(UNENDED)) {
    await client.query(
      `insert into order_creation
         (order_id, transaction, user_id, total_cents, lines, traceparent, awaited, created_at, due_at, failures, refused, last_error)
       values
         ($1, $2 || '/create-' || $1, $3, $4, $5, $6, true, now() + make_interval(secs => $7),
          coalesce(now() + make_interval(secs => $8), 'infinity'), $9, $10::text is not null, $10)`,
      [
        ...[orderId, namespace, TEAPOTS.userId, TOTAL_CENTS, JSON.stringify(TEAPOTS.lines), TRACEPARENT, madeAt, dueAt],
        ...[error === undefined ? 0 : 4, error],
      ],
    );
  }
  await client.query(
    'insert into order_request (user_id, idempotency_key, body_digest, order_id) values ($1, $2, $3, $4)',
    [TEAPOTS.userId, KEY, canonical(TEAPOTS)?.digest, 'unsent'],
  );
  await insertOrder(client, { namespace, orderId: 'tried', statuses: ['INIT'], since: -50 });
  const { digest, text } = canonical({ orderId: 'tried', ...TEAPOTS, totalCents: TOTAL_CENTS }) ?? {};
  await client.query(
    `insert into ordertx_fence (transaction, branch, path, state, digest, payload)
     values ($1, 'order', '/tcc/create-order', 'Tried', $2, $3)`,
    [`${namespace}/create-tried`, digest, text],
  );
  for (const [orderId, since] of Object.entries(UNPAID)) {
    await insertOrder(client, { namespace, orderId, statuses: ['INIT', 'PENDING_PAYMENT'], since });
  }
  await insertOrder(client, { namespace, orderId: 'cancelled', statuses: ['INIT', 'CANCELLED'], since: -3_600 });
}

interface OldOrder {
  readonly namespace: string;
  readonly orderId: string;
  /** That it has had; the last one since so many seconds from now. */
  readonly statuses: readonly string[];
  readonly since: number;
}

async function insertOrder(client: pg.Client, { namespace, orderId, statuses, since }: OldOrder): Promise<void> {
  await client.query(
    `with placed as (
       insert into orders (order_id, transaction, user_id, total_cents, lines, status, status_since)
       values ($1, $2 || '/create-' || $1, $3, $4, $5, $6, now() + make_interval(secs => $7))
       returning order_id, status_since
     )
     insert into order_history (order_id, status, at, reason)
     select order_id, step.status, status_since, case when step.status = 'CANCELLED' then 'out of stock' end
     from placed
     cross join unnest($8::text[]) with ordinality as step (status, position)
     order by position`,
    [
      ...[orderId, namespace, TEAPOTS.userId, TOTAL_CENTS, JSON.stringify(TEAPOTS.lines), statuses.at(-1), since],
      statuses,
    ],
  );
}

const payloadOf = (orderId: string) => ({ orderId, ...TEAPOTS, totalCents: TOTAL_CENTS });
const nothingOfIt = { held_by: null, payment_id: null, closes: 0, closing: null, withdrawn: false };

describe('a creation that had not ended', () => {
  test('and was not sent yet is sent, as it was meant', async () => {
    const { spec, metadata } = await fixture.transactionSoon('create-unsent');
    expect(spec).toMatchObject({ flow: 'create-order', orderId: 'unsent', payload: payloadOf('unsent') });
    expect(spec.payload).toEqual(payloadOf('unsent'));
    expect(metadata.annotations).toEqual({ 'ordertx.dev/traceparent': TRACEPARENT });
  });

  test('is kept with everything that was known of it, and is sent no earlier than it would have been', async () => {
    await fixture.transactionSoon('create-unsent');
    const { rows } = await fixture.service.database.query<OutboxRow>(
      `select ${OUTBOX_COLUMNS} from creation where flow = 'create-order' order by order_id`,
    );
    const unsent = { due_at: expect.any(Date) };
    expect(rows).toEqual(outboxBefore.map((row) => (row.order_id === 'unsent' ? { ...row, ...unsent } : row)));
    expect(rows.map((row) => row.order_id)).toEqual(Object.keys(UNENDED).toSorted());
    for (const orderId of Object.keys(UNENDED)) {
      const [row] = await fixture.outbox(orderId);
      expect(row).toMatchObject({ flow: 'create-order', payload: payloadOf(orderId) });
    }
    const created = (await fixture.transactionNames()).filter((name) => name.startsWith('create-'));
    expect(created).toEqual(['create-unsent']);
  });

  test.each(Object.keys(UNENDED))('is seen by its customer as it was: %s', async (orderId) => {
    const view = await orderView(fixture.service.url, orderId);
    expect(view).toMatchObject({ ...payloadOf(orderId), status: 'INIT', history: [{ status: 'INIT', reason: null }] });
  });

  test('is known by its idempotency key', async () => {
    const { status, body } = await placeOrder(fixture.service.url, { key: KEY });
    expect({ status, body }).toEqual({
      ...{ status: 202, body: { orderId: 'unsent', status: 'INIT', transaction: 'create-unsent' } },
    });
  });

  test('goes with the end of its branch, and then has its time to be paid', async () => {
    await done(fixture.creation('sent'), 'try', 'confirm');
    await done(fixture.creation('tried'), 'try', 'confirm');
    await done(fixture.creation('refused'), 'cancel');
    for (const orderId of ['sent', 'tried']) {
      expect(await fixture.row(orderId)).toMatchObject({ ...nothingOfIt, status: 'PENDING_PAYMENT' });
      expect(await fixture.closeInSeconds(orderId)).toBeGreaterThan(29 * 60);
      expect(await fixture.history(orderId)).toEqual([['INIT'], ['PENDING_PAYMENT']]);
    }
    expect(await fixture.row('refused')).toMatchObject({ ...nothingOfIt, status: 'CANCELLED', close_at: null });
    for (const orderId of ['sent', 'tried', 'refused']) expect(await fixture.outbox(orderId)).toEqual([]);
  });
});

describe('an order that waits for its payment', () => {
  test('has half an hour since it was placed', async () => {
    const { rows } = await fixture.service.database.query<{
      readonly order_id: string;
      readonly half_an_hour: boolean;
    }>(
      `select order_id, close_at = status_since + interval '30 minutes' as half_an_hour
       from orders
       where status = 'PENDING_PAYMENT'
       order by order_id`,
    );
    const orderIds = [...Object.keys(UNPAID), 'sent', 'tried'].toSorted();
    expect(rows).toEqual(orderIds.map((orderId) => ({ order_id: orderId, half_an_hour: true })));
  });

  test.each(['overdue', 'soon'])('is closed when that is over, and not before: %s', async (orderId) => {
    const { spec } = await fixture.transactionSoon(`close-${orderId}-1`);
    expect(spec).toMatchObject({ flow: 'close-order', orderId });
    expect(spec.payload).toEqual({ orderId, lines: TEAPOTS.lines, cause: 'unpaid' });
    const { rows } = await fixture.service.database.query<{ readonly in_time: boolean }>(
      `select creation.created_at >= orders.close_at as in_time
       from creation
       join orders using (order_id)
       where order_id = $1`,
      [orderId],
    );
    expect(rows).toEqual([{ in_time: true }]);
    await done(fixture.closing(orderId, 1), 'try', 'confirm');
    expect(await fixture.row(orderId)).toMatchObject({ status: 'CLOSED', held_by: null, closes: 1 });
    expect((await fixture.history(orderId)).map(([status]) => status)).toEqual([
      ...['INIT', 'PENDING_PAYMENT', 'CLOSING', 'CLOSED'],
    ]);
    expect(await fixture.outbox(orderId)).toEqual([]);
  });

  test('stays open while it has time left', async () => {
    // The scanner has been through all that was due by then.
    await fixture.transactionSoon('close-soon-1');
    expect(await fixture.row('just-placed')).toMatchObject({ ...nothingOfIt, status: 'PENDING_PAYMENT' });
    expect(await fixture.outbox('just-placed')).toEqual([]);
  });

  test('can be paid, shipped and received', async () => {
    const payment = fixture.payment('just-placed');
    await done(payment, 'try', 'confirm');
    await fixture.sent('just-placed', 'RECEIVED');
    expect(await fixture.row('just-placed')).toMatchObject({ status: 'RECEIVED', payment_id: payment.paymentId });
  });

  test('can be withdrawn', async () => {
    expect(await fixture.post('/orders/placed-too/withdraw', { prefer: 'wait=0' })).toMatchObject({ status: 202 });
    await done(fixture.closing('placed-too', 1, 'withdrawn'), 'try', 'confirm');
    expect(await fixture.status('placed-too')).toBe('CLOSED');
  });
});

test('an order that was cancelled stays as it was', async () => {
  expect(await fixture.row('cancelled')).toEqual({ ...nothingOfIt, status: 'CANCELLED', close_at: null });
  expect(await fixture.history('cancelled')).toEqual([['INIT'], ['CANCELLED', 'out of stock']]);
  expect(await fixture.payment('cancelled').try()).toMatchObject({ status: 409, state: 'Refused' });
});
