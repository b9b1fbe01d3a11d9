/** `reconcile` over the services' real databases: what it says of orders about which they disagree, and what it leaves alone. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { inheritedEnvironment } from '../../../local/process-group.ts';
import { freshDatabase } from '../../../tests/world/world.ts';
import { migrate } from '../../kit/src/index.ts';
import { memoryLog } from '../../kit/testing/memory-log.ts';
import { reconcileCommand } from './command.ts';
import type { Databases } from './rows.ts';

const SERVICES = ['order', 'inventory', 'payment', 'dispatch', 'wms', 'member', 'notification'] as const;
type Service = (typeof SERVICES)[number];
const TABLES: Readonly<Record<Service, string>> = {
  order: 'orders, order_history, creation, ended_creation, ordertx_outbox',
  inventory: 'stock, reservation, reservation_line, ordertx_outbox',
  payment: 'payments, captures, refunds, ordertx_outbox',
  dispatch: 'dispatch, ordertx_outbox',
  wms: 'shipment, ordertx_outbox',
  member: 'point_grant, ordertx_outbox',
  notification: 'notifications, attempts, ordertx_outbox',
};
const LINES = JSON.stringify([{ skuId: 'tea', quantity: 2, unitPriceCents: 450 }]);

const databases = new Map<
  Service,
  { readonly url: string; readonly pool: pg.Pool; readonly drop: () => Promise<void> }
>();

beforeAll(async () => {
  for (const service of SERVICES) {
    const { url, drop } = await freshDatabase(`reconcile-${service}`);
    const folder = pathToFileURL(`${join(import.meta.dirname, '../..', service, 'migrations')}/`);
    await migrate({ connectionString: url, folder, log: memoryLog().log });
    databases.set(service, { url, drop, pool: new pg.Pool({ connectionString: url, max: 1 }) });
  }
}, 60_000);
afterAll(async () => {
  for (const { pool, drop } of databases.values()) {
    await pool.end();
    await drop();
  }
});

async function sql(service: Service, text: string, values: readonly unknown[] = []): Promise<void> {
  await databases.get(service)?.pool.query(text, [...values]);
}

/** Everything below was changed an hour ago. */
const LONG_AGO = `now() - interval '1 hour'`;

beforeEach(async () => {
  for (const service of SERVICES) await sql(service, `truncate ${TABLES[service]} cascade`);
  await sql('inventory', `insert into stock (sku_id, stocked, sellable) values ('tea', 100, 100)`);
  await pending('o1');
  await paid('o2');
});

/** An order that waits for its payment; every service agrees. */
async function pending(orderId: string): Promise<void> {
  await sql(
    'order',
    `insert into orders (order_id, transaction, user_id, total_cents, lines, status, status_since)
     values ($1, 'shop/create-' || $1, 'u1', 900, $2, 'PENDING_PAYMENT', ${LONG_AGO})`,
    [orderId, LINES],
  );
  await sql(
    'order',
    `insert into ended_creation (transaction, flow, order_id, payload, traceparent, created_at, ended_at)
     values ('shop/create-' || $1, 'create-order', $1, '{}', '', ${LONG_AGO}, ${LONG_AGO})`,
    [orderId],
  );
  await sql(
    'inventory',
    `insert into reservation (order_id, transaction, state, changed_at)
     values ($1, 'shop/create-' || $1, 'FROZEN', ${LONG_AGO})`,
    [orderId],
  );
  await sql('inventory', `insert into reservation_line (order_id, sku_id, quantity) values ($1, 'tea', 2)`, [orderId]);
  await sql('inventory', `update stock set sellable = sellable - 2, frozen = frozen + 2`);
  await sql('dispatch', `insert into dispatch (order_id, state, changed_at) values ($1, 'LOCKED', ${LONG_AGO})`, [
    orderId,
  ]);
  await sql('wms', `insert into shipment (order_id, lines, state, changed_at) values ($1, $2, 'LOCKED', ${LONG_AGO})`, [
    orderId,
    LINES,
  ]);
}

async function paid(orderId: string): Promise<void> {
  await pending(orderId);
  await sql('order', `update orders set status = 'PAID', payment_id = 'p-' || order_id where order_id = $1`, [orderId]);
  await sql('inventory', `update reservation set state = 'SOLD' where order_id = $1`, [orderId]);
  await sql('inventory', `update stock set frozen = frozen - 2, sold = sold + 2`);
  await sql(
    'payment',
    `insert into payments (payment_id, order_id, amount_cents, captured_cents, status, created_at, captured_at)
     values ('p-' || $1, $1, 900, 900, 'SUCCEEDED', ${LONG_AGO}, ${LONG_AGO})`,
    [orderId],
  );
  await sql('dispatch', `update dispatch set state = 'SCHEDULED' where order_id = $1`, [orderId]);
  await sql('wms', `update shipment set state = 'OUTBOUND' where order_id = $1`, [orderId]);
  await sql(
    'member',
    `insert into point_grant (order_id, payment_id, user_id, points, growth, granted_at)
     values ($1, 'p-' || $1, 'u1', 9, 9, ${LONG_AGO})`,
    [orderId],
  );
}

const all = (): Databases =>
  Object.fromEntries([...databases].map(([service, { url }]) => [service, url])) as Databases;

async function reconcile(args: readonly string[] = [], from: Databases = all()) {
  const [lines, notes]: [string[], string[]] = [[], []];
  const code = await reconcileCommand({
    ...{ args, databases: () => from },
    ...{ print: (line) => void lines.push(line), note: (line) => void notes.push(line) },
  });
  return { code, lines, notes };
}

test('services that agree are not spoken of', async () => {
  expect(await reconcile()).toEqual({ code: 0, lines: [], notes: ['2 orders read; all agree'] });
});

test('an order whose stock was forgotten is named, with what each service says and what to do', async () => {
  await sql('inventory', `update reservation set state = 'TRIED' where order_id = 'o1'`);
  const { code, lines, notes } = await reconcile();
  expect({ code, notes }).toEqual({ code: 1, notes: ['2 orders read; disagreements: 1'] });
  expect(lines).toEqual([
    'order o1: order PENDING_PAYMENT, inventory TRIED, payment nothing, dispatch LOCKED, wms LOCKED, member nothing' +
      ' | the stock of order o1 is tried, and neither confirmed nor cancelled' +
      '; order o1 is PENDING_PAYMENT, and its stock is TRIED instead of FROZEN | creations again --order o1',
  ]);
});

test('for programs it says the same as JSON, one object a line', async () => {
  await sql('dispatch', `delete from dispatch where order_id = 'o1'`);
  const { code, lines } = await reconcile(['-o', 'json']);
  expect(code).toBe(1);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      ...{ kind: 'order', orderId: 'o1', next: { kind: 'again' } },
      says: expect.objectContaining({ order: 'PENDING_PAYMENT', dispatch: 'nothing', wms: 'LOCKED' }),
      broken: [{ invariant: expect.stringContaining('dispatch and wms'), ids: ['o1'], says: expect.any(String) }],
    },
  ]);
});

test('by name it lists what creating again can mend, for the command that does it', async () => {
  await sql('dispatch', `delete from dispatch`);
  await sql('order', `delete from orders where order_id = 'o2'`);
  expect(await reconcile(['-o', 'name'])).toMatchObject({ code: 1, lines: ['o1'] });
});

test.each([
  ['the order service does not know the order', 'order', `delete from orders where order_id = 'o2'`],
  ['the payment service does not know the payment', 'payment', 'delete from payments'],
  ['the order service is behind inventory', 'inventory', `update reservation set state = 'SOLD' where order_id = 'o1'`],
  ['no creation of the order is kept any more', 'order', `truncate ended_creation`],
] as const)('%s: then it is for a person', async (why, service, change) => {
  await sql(service, change);
  if (why.startsWith('no creation')) await sql('dispatch', `delete from dispatch where order_id = 'o1'`);
  const { code, lines } = await reconcile();
  expect(code).toBe(1);
  expect(lines[0]).toMatch(new RegExp(`\\| by hand: ${why}$`));
});

describe('what is in flight', () => {
  test('is counted and not judged, whichever service was the last to change something', async () => {
    await sql('inventory', `update reservation set state = 'TRIED', changed_at = now() where order_id = 'o1'`);
    expect(await reconcile()).toEqual({
      ...{ code: 0, lines: [] },
      notes: ['2 orders read, 1 of them in flight (changed within 600 s) and not judged; all agree'],
    });
    expect(await reconcile(['--at-rest', '0'])).toMatchObject({ code: 1 });
  });

  test('and has been for too long, is named', async () => {
    await sql(
      'order',
      `update orders set status = 'CLOSING', held_by = 'shop/close-o1-1', closing = 'shop/close-o1-1'
                        where order_id = 'o1'`,
    );
    expect((await reconcile()).lines).toEqual([expect.stringContaining('order o1 is still CLOSING')]);
  });
});

test('stock that no order holds is named by its SKU, whatever is in flight', async () => {
  await sql('inventory', `update stock set sellable = sellable - 1, frozen = frozen + 1`);
  expect(await reconcile()).toMatchObject({
    code: 1,
    lines: ['stock tea: tea: 3 frozen in stock, 2 frozen for orders | by hand, once the orders agree'],
  });
});

test('a message that was refused, or has no receipt for long, is named; a young one is not', async () => {
  for (const [id, age, refused] of [
    ['m1', 3_600, null],
    ['m2', 0, 'no'],
    ['m3', 0, null],
  ] as const) {
    await sql(
      'wms',
      `insert into ordertx_outbox (id, stream, type, subject, data, created_at, refused_reason)
       values ($1, 'order', 't', 'o1', '{}', now() - make_interval(secs => $2), $3)`,
      [id, age, refused],
    );
  }
  const { lines } = await reconcile();
  expect(lines.map((line) => line.split(':')[0])).toEqual(['message m1', 'message m2']);
});

test('of services whose database it is not given it says nothing', async () => {
  await sql('dispatch', 'delete from dispatch');
  await sql('wms', `update shipment set state = 'RELEASED'`);
  const { order, inventory } = all();
  expect(await reconcile([], { order, inventory })).toMatchObject({ code: 0, lines: [] });
});

test('a database that cannot be read is named, and nobody is told that all agree', async () => {
  const wms = 'postgres://nobody@127.0.0.1:1/nowhere';
  const { code, lines, notes } = await reconcile([], { ...all(), wms });
  expect({ code, lines }).toEqual({ code: 1, lines: [] });
  expect(notes).toEqual([expect.stringMatching(/^nobody knows.*the database of wms cannot be read/)]);
});

test.each([
  [['-o', 'yaml'], '-o must be one of: text, json, name'],
  [['--at-rest', '-1'], ''],
  [['--at-rest', '1000000'], '--at-rest must be'],
  [['now'], ''],
])('%j is refused with how it is used', async (args, complaint) => {
  const { code, notes } = await reconcile(args);
  expect(code).toBe(2);
  expect(notes[0]).toContain(complaint);
  expect(notes[0]).toContain('usage: reconcile');
});

test('thousands of orders are read in batches, each once, however the databases sort', async () => {
  await sql(
    'order',
    `insert into orders (order_id, transaction, user_id, total_cents, lines, status, status_since)
     select id, 'shop/create-' || id, 'u1', 900, $1, 'CANCELLED', ${LONG_AGO}
     from (select 'o-' || md5(n::text) as id from generate_series(1, 5000) as n) as ids`,
    [LINES],
  );
  await sql(
    'inventory',
    `insert into reservation (order_id, transaction, state, changed_at)
     select 'o-' || md5(n::text), '', 'RETURNED', ${LONG_AGO} from generate_series(1, 5000) as n`,
  );
  await sql(
    'inventory',
    `insert into reservation_line (order_id, sku_id, quantity) select order_id, 'tea', 2 from reservation
     on conflict do nothing`,
  );
  expect(await reconcile()).toMatchObject({ code: 0, notes: ['5002 orders read; all agree'] });
});

test('as a process it takes the databases from its environment, and names those it lacks', async () => {
  const run = (env: Readonly<Record<string, string>>, ...args: readonly string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      execFile(
        process.execPath,
        [join(import.meta.dirname, 'main.ts'), ...args],
        { env: { ...inheritedEnvironment(), ...env } },
        (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
      );
    });
  expect(await run({ ORDER_DATABASE_URL: 'mysql://x' })).toMatchObject({
    code: 2,
    err: expect.stringMatching(/ORDER_DATABASE_URL must start with postgres[^]*INVENTORY_DATABASE_URL is not set/),
  });
  await sql('wms', `delete from shipment where order_id = 'o2'`);
  const env = Object.fromEntries(
    Object.entries(all()).map(([service, url]) => [`${service.toUpperCase()}_DATABASE_URL`, url]),
  );
  expect(await run(env, '-o', 'name')).toEqual({ code: 1, out: 'o2\n', err: '2 orders read; disagreements: 1\n' });
});
