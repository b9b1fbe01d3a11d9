/**
 * etcd is put back to before orders, payments and closes that the order service takes for ended: with messages nobody has received,
 * with inventory's confirm missing, with a payment half confirmed and another half cancelled; and to before a cancel that one of two
 * branches has heard of. Creating the ended ones again carries
 * every one to its end, and does nothing twice to those that had lost nothing. The page for it is followed as it is written.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { inheritedEnvironment } from '../../local/process-group.ts';
import { Customers } from '../world/customers.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import type { PageWalk } from '../world/page-commands.ts';
import { openReader, type PageReader } from '../world/page-reader.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Line, type Shop } from '../world/shop.ts';
import { putBack, takeSnapshot, type EtcdSnapshot } from './etcd-restore.ts';
import { startFaultProxy, Tap, type FaultProxy } from './fault-proxy.ts';

const OPEN_MS = 180_000;
const STORY_MS = 300_000;
const SOON_MS = 60_000;
const TEA: Line = { skuId: 'tea', quantity: 2, unitPriceCents: 1_250 };
const TOTAL_CENTS = 2_500;
const ORDER_MAIN = join(import.meta.dirname, '../../services/order/src/main.ts');

let own: OwnControlPlane;
let shop: Shop;
let controller: RunningController;
let customers: Customers;
let database: pg.Pool;
let snapshot: EtcdSnapshot;
let reader: PageReader;
let proxy: FaultProxy;
/** Calls to inventory that do not arrive, by the end of their path. */
let swallowed: readonly string[] = [];
/** Of the first story. */
let withdrawn = '';

beforeAll(async () => {
  own = await openControlPlane();
  shop = await openShop('restored', {
    ...{ cluster: own.cluster, ownServers: true },
    services: ['payment', 'dispatch', 'wms', 'member', 'notification'],
  });
  customers = new Customers(shop);
  database = new pg.Pool({ connectionString: shop.services.order.databaseUrl });
  const tap = new Tap((_to, method, path) => method === 'POST' && path.startsWith('/tcc/'));
  tap.fault = { before: ({ path }) => (swallowed.some((end) => path.endsWith(end)) ? 'drop' : 'pass') };
  proxy = await startFaultProxy('inventory', shop.services.inventory.url, tap);
  await shop.applyFlow({ ...shop.origins, inventory: proxy.url });
  await shop.stock(TEA.skuId, 1_000);
  controller = await shop.startController({ allowEndpoints: [shop.services.order.url, proxy.url] });
  reader = await openReader(shop, { cluster: own.cluster, controllerUrl: controller.url });
}, OPEN_MS);

afterAll(async () => {
  await database.end();
  await reader.close();
  await shop.close();
  await proxy.close();
  await own.close();
}, OPEN_MS);

/** The order service's own branch of the transaction is final: for it, all is done. */
async function endedForTheOrder(name: string): Promise<void> {
  await waitFor(
    async () => {
      const { rowCount } = await database.query('select from ended_creation where transaction = $1', [
        `${shop.namespace}/${name}`,
      ]);
      return rowCount === 1;
    },
    { what: `the order's branch of ${name} to end`, deadlineMs: SOON_MS, everyMs: 20 },
  );
}

async function triedByTheOrder(orderId: string): Promise<void> {
  await waitFor(
    async () => (await database.query('select from orders where order_id = $1', [orderId])).rowCount === 1,
    { what: 'the order to be tried', deadlineMs: SOON_MS },
  );
}

async function pays(orderId: string, amountCents?: number): Promise<string> {
  const paymentId = await customers.paymentLink(orderId);
  await customers.capture(paymentId!, amountCents);
  await endedForTheOrder(`pay-${paymentId}`);
  return paymentId!;
}

async function ordered(): Promise<string> {
  const { status, body } = await shop.order([TEA], 30);
  expect(status).toBe(201);
  await endedForTheOrder(body.transaction);
  return body.orderId;
}

async function creationsAgain(): Promise<string> {
  const args = [ORDER_MAIN, 'creations', 'again', '--since', snapshot.takenAt.toISOString()];
  const env = { ...inheritedEnvironment(), DATABASE_URL: shop.services.order.databaseUrl };
  return (await promisify(execFile)(process.execPath, args, { env })).stdout;
}

/** The page from where it waits for the creations to its end. */
async function itIsOver(page: PageWalk): Promise<void> {
  const { stdout: due } = await page.next('curl -s "$ORDER_URL/metrics"');
  expect(due).toContain('ordertx_order_ended_creations_due');
  expect(sumOf(due, 'ordertx_order_ended_creations_due')).toBe(0);
  expect((await page.next('kubectl get otx')).stdout).toBe('');
  expect(await page.next('node scripts/run.mjs services/reconcile')).toMatchObject({ code: 0, stdout: '' });
  page.end();
}

async function sends(orderId: string): Promise<number> {
  const { body } = await customers.call('notification', 'GET', `/notifications?orderId=${orderId}`);
  return (body as unknown as readonly { readonly attempts: number }[]).reduce((sum, { attempts }) => sum + attempts, 0);
}

/** What is in the snapshot half-way: one transaction that is decided and not confirmed by inventory, one that is not decided. */
async function inTheSnapshot(): Promise<readonly [string, string]> {
  swallowed = ['/create-order/confirm'];
  const decided = await ordered();
  swallowed = [...swallowed, '/create-order/try'];
  const { body } = await shop.order([TEA]);
  await triedByTheOrder(body.orderId);
  snapshot = await takeSnapshot(own);
  swallowed = [];
  await customers.statusIs(body.orderId, 'PENDING_PAYMENT');
  await customers.atRest();
  return [decided, body.orderId];
}

test(
  'an answer to a try that comes back from before a cancel confirms nothing: its branch is asked again, and all are cancelled',
  async () => {
    swallowed = ['/create-order/try', '/create-order/cancel'];
    const { body } = await shop.order([TEA]);
    withdrawn = body.orderId;
    await triedByTheOrder(withdrawn);
    // The answer to a retry request is news, and what was answered is stored with it.
    const asked = { metadata: { annotations: { 'ordertx.dev/retry-requested-at': 'now' } } };
    await shop.patch(body.transaction, asked);
    await shop.transactionWhen(
      body.transaction,
      "to store the order's answer",
      ({ status }) =>
        status?.decision === undefined && status?.branches?.some(({ state }) => state === 'Tried') === true,
    );
    const before = await takeSnapshot(own);
    await shop.patch(body.transaction, { spec: { cancelRequested: true } });
    await customers.statusIs(body.orderId, 'CANCELLED');
    await putBack(own, before);
    // From here on inventory takes a try; of the cancel, which the controller still remembers, it hears only with the new decision.
    swallowed = ['/create-order/cancel'];
    await shop.transactionWhen(body.transaction, 'to be decided anew', ({ status }) => status?.decision !== undefined);
    swallowed = [];
    // The request to cancel it is lost as well: this is another decision, made because of what the order has answered.
    const { status } = await shop.final(body.transaction, SOON_MS);
    expect(status).toMatchObject({ phase: 'Cancelled', decisionReason: 'Refused' });
    expect(status?.conditions?.find(({ type }) => type === 'Succeeded')?.message).toMatch(/^order refused: /);
    expect(await shop.stockOf(TEA.skuId)).toMatchObject({ sold: 0, frozen: 0 });
    expect(await shop.violations()).toEqual([]);
  },
  STORY_MS,
);

test(
  'what was lost half-way is carried to its end, and what had ended everywhere is not done twice',
  async () => {
    const overtaken = await inTheSnapshot();
    // One order that has been through everything when etcd goes back.
    const complete = await ordered();
    await pays(complete);
    await customers.insist(
      'the customer to be told',
      () => customers.call('notification', 'GET', `/notifications?orderId=${complete}`),
      ({ body }) => (body as unknown as readonly { readonly status: string }[])[0]?.status === 'SENT',
    );
    await customers.insist(
      'the order to be shipped',
      () => customers.ship(complete),
      ({ status }) => status < 300,
    );
    await customers.statusIs(complete, 'SHIPPED');
    await customers.atRest();

    // A payment that the order has taken, one it has let go, and inventory has not heard of either end.
    const [halfPaid, halfRefunded, closed] = [await ordered(), await ordered(), await ordered()];
    swallowed = ['/pay-order/confirm', '/pay-order/cancel'];
    await pays(halfPaid);
    const wrongPayment = await pays(halfRefunded, TOTAL_CENTS - 1);
    // Messages that nobody receives: of an order, and of a close.
    shop.ownServers!.redis.process.kill('SIGKILL');
    await shop.ownServers!.redis.process.exited;
    const unheard = await ordered();
    await customers.insist(
      'the withdrawal',
      () => customers.withdraw(closed, 30),
      ({ status }) => status === 200,
    );
    await endedForTheOrder(`close-${closed}-1`);
    // An order that waits for its payment while its stock was never confirmed.
    swallowed = [...swallowed, '/create-order/confirm'];
    const halfCreated = await ordered();

    await putBack(own, snapshot);
    // As long as it knows of what was lost it would carry that on.
    await waitFor(
      async () =>
        sumOf(await (await fetch(`${controller.url}/metrics`)).text(), 'ordertx_transactions') === overtaken.length,
      { what: 'the controller to know what is stored', deadlineMs: SOON_MS },
    );
    swallowed = [];
    await shop.ownServers!.redis.restart();
    const known = (await shop.transactions()).map(({ spec }) => spec.orderId);
    expect(known.filter((orderId) => orderId !== withdrawn).toSorted()).toEqual(overtaken.toSorted());
    const lost = [halfPaid, halfRefunded, closed, unheard, halfCreated];
    const disagreeing = new Set((await shop.violations()).flatMap(({ ids }) => ids));
    expect(lost.filter((orderId) => !disagreeing.has(orderId))).toEqual([]);

    const page = reader.walk('etcd-restored', { '2026-11-26T08:00:00Z': snapshot.takenAt.toISOString() });
    for (const _ of ['with --dry-run', 'in earnest'])
      expect((await page.next('DATABASE_URL=')).stdout).toContain('7 create-order, 1 close-order, 3 pay-order');
    await customers.atRest();
    await itIsOver(page);
    expect(await Promise.all([complete, ...lost, ...overtaken].map((orderId) => customers.status(orderId)))).toEqual([
      ...['SHIPPED', 'PAID', 'PENDING_PAYMENT', 'CLOSED', 'PENDING_PAYMENT', 'PENDING_PAYMENT'],
      ...['PENDING_PAYMENT', 'PENDING_PAYMENT'],
    ]);
    await customers.paymentIs(wrongPayment, 'REFUNDED');
    expect(await sends(complete)).toBe(1);
    expect(await shop.stockOf(TEA.skuId)).toMatchObject({ sold: 4, frozen: 10, sellable: 986 });

    // Once more is once more without effect.
    await creationsAgain();
    await customers.atRest();
    expect(await sends(complete)).toBe(1);
  },
  STORY_MS,
);
