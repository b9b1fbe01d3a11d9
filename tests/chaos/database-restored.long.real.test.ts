/**
 * Services' databases are put back to before orders, payments and closes that are long through and gone from the API server:
 * `reconcile` names every order that has lost something, and creating their creations again brings the services back in line. The page for it is followed
 * as it is written.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { inheritedEnvironment } from '../../local/process-group.ts';
import type { ServiceName } from '../../local/services.ts';
import { Customers } from '../world/customers.ts';
import { openReader } from '../world/page-reader.ts';
import { openShop, type Line, type Shop } from '../world/shop.ts';
import { backUp, restore } from './database-restore.ts';
import { startFaultProxy, Tap, type FaultProxy } from './fault-proxy.ts';

const OPEN_MS = 180_000;
const STORY_MS = 300_000;
const TEA: Line = { skuId: 'tea', quantity: 2, unitPriceCents: 1_250 };
const SERVICES = join(import.meta.dirname, '../../services');

let shop: Shop;
let customers: Customers;
let proxy: FaultProxy;
/** Whether inventory's confirms of create-order arrive. */
let confirmsArrive = true;

beforeAll(async () => {
  shop = await openShop('put-back', { services: ['payment', 'dispatch', 'wms', 'member', 'notification'] });
  customers = new Customers(shop);
  await shop.stock(TEA.skuId, 1_000);
  const tap = new Tap((_to, method, path) => method === 'POST' && path === '/tcc/create-order/confirm');
  tap.fault = { before: () => (confirmsArrive ? 'pass' : 'drop') };
  proxy = await startFaultProxy('inventory', shop.services.inventory.url, tap);
  await shop.applyFlow({ ...shop.origins, inventory: proxy.url });
  await shop.startController({ allowEndpoints: [shop.services.order.url, proxy.url] });
}, OPEN_MS);
afterAll(async () => {
  await shop.close();
  await proxy.close();
}, OPEN_MS);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(main: string, args: readonly string[], env: Readonly<Record<string, string>>, input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(SERVICES, main), ...args],
      { env: { ...inheritedEnvironment(), ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

/** As an operator calls it; what has only just happened is at rest as well here. */
function reconcile(...args: readonly string[]): Promise<Ended> {
  const urls = Object.entries(shop.services).map(([name, { databaseUrl }]) => [
    `${name.toUpperCase()}_DATABASE_URL`,
    databaseUrl,
  ]);
  return run('reconcile/src/main.ts', ['--at-rest', '0', ...args], Object.fromEntries(urls) as Record<string, string>);
}

/** `reconcile -o name | creations again --orders-from -` */
async function mend(): Promise<string> {
  const { stdout: named } = await reconcile('-o', 'name');
  const env = { DATABASE_URL: shop.services.order.databaseUrl };
  const { code, stdout } = await run('order/src/main.ts', ['creations', 'again', '--orders-from', '-'], env, named);
  expect(code).toBe(0);
  return stdout;
}

/** As after some minutes: the API server knows nothing of it any more. */
async function forgottenByTheApiServer(): Promise<void> {
  for (const { metadata } of await shop.transactions()) {
    await shop.final(metadata.name);
    expect((await shop.admin.request('DELETE', shop.pathOf('ordertransactions', metadata.name))).status).toBe(200);
  }
}

async function putBack(...names: readonly ServiceName[]): Promise<void> {
  await Promise.all(names.map((name) => restore(shop.services[name]!)));
}

async function backedUp(...names: readonly ServiceName[]): Promise<void> {
  await Promise.all(names.map((name) => backUp(shop.services[name]!)));
}

/** One order of every kind, through and at rest; by what became of it. */
async function everyKind() {
  const pending = await customers.orderToPay([TEA]);
  const [paid, closed, refunded] = [
    ...[await customers.orderToPay([TEA]), await customers.orderToPay([TEA]), await customers.orderToPay([TEA])],
  ];
  await customers.pay(paid!);
  await customers.insist(
    'the withdrawal',
    () => customers.withdraw(closed!, 30),
    ({ status }) => status === 200,
  );
  const wrongPayment = await customers.paymentLink(refunded!);
  await customers.capture(wrongPayment!, 1);
  await customers.paymentIs(wrongPayment!, 'REFUNDED');
  await customers.atRest();
  return { pending, paid: paid!, closed: closed!, refunded: refunded!, wrongPayment: wrongPayment! };
}

async function statuses(orderIds: readonly string[]): Promise<readonly string[]> {
  return Promise.all(orderIds.map((orderId) => customers.status(orderId)));
}

test(
  'inventory put back to before orders were placed: their stock is reserved, sold and returned once more',
  async () => {
    await backedUp('inventory');
    const { pending, paid, closed, refunded } = await everyKind();
    await forgottenByTheApiServer();
    const stock = await shop.stockOf(TEA.skuId);
    await putBack('inventory');

    const { code, stdout } = await reconcile();
    expect(code).toBe(1);
    const named = stdout.trim().split('\n');
    // Of a closed order inventory knows as much as of one that never froze anything: nothing is wrong with its stock.
    expect(named.map((line) => /^order (\S+):.*\| creations again --order \1$/.exec(line)?.[1]).toSorted()).toEqual(
      [pending, paid, refunded].toSorted(),
    );
    expect(await mend()).toContain('3 create-order, 2 pay-order');
    await customers.atRest();
    expect(await shop.stockOf(TEA.skuId)).toEqual(stock);
    expect(await statuses([pending, paid, closed, refunded])).toEqual([
      ...['PENDING_PAYMENT', 'PAID', 'CLOSED', 'PENDING_PAYMENT'],
    ]);
    expect(await reconcile()).toMatchObject({ code: 0, stdout: '' });
  },
  STORY_MS,
);

test(
  'inventory put back to before a try that is being confirmed: Stuck, until the transaction is given up and created again',
  async () => {
    await backedUp('inventory');
    confirmsArrive = false;
    const { status, body } = await shop.order([TEA], 30);
    expect(status).toBe(201);
    await putBack('inventory');
    confirmsArrive = true;
    await shop.transactionWhen(body.transaction, 'to say that inventory refuses', ({ status: is }) =>
      (is?.conditions ?? []).some(({ type, reason }) => type === 'Stuck' && reason === 'ConfirmRefused'),
    );

    const reader = await openReader(shop);
    const page = reader.walk('database-restored', {
      'create-o1001': body.transaction,
      // What has only just happened is at rest as well here.
      'reconcile/src/main.ts': 'reconcile/src/main.ts --at-rest 0',
    });
    expect((await page.next('kubectl get otx')).stdout).toContain('Nothing was reserved here');
    expect((await page.next('node scripts/run.mjs services/reconcile')).code).toBe(1);
    for (const beginning of ['kubectl annotate', 'kubectl delete otx create-', 'kubectl delete', 'kubectl delete'])
      expect((await page.next(beginning)).code).toBe(0);
    expect((await page.next('node scripts/run.mjs services/reconcile')).stdout).toContain('1 create-order');
    page.end();
    await reader.close();
    await customers.atRest();
    expect(await customers.status(body.orderId)).toBe('PENDING_PAYMENT');
    expect(await reconcile()).toMatchObject({ code: 0, stdout: '' });
  },
  STORY_MS,
);

test(
  'dispatch, warehouse and member points put back: they hear of everything once more',
  async () => {
    await backedUp('dispatch', 'wms', 'member');
    const { pending, paid, closed, refunded } = await everyKind();
    await forgottenByTheApiServer();
    await putBack('dispatch', 'wms', 'member');

    const { stdout } = await reconcile('-o', 'name');
    expect(stdout.trim().split('\n').toSorted()).toEqual([pending, paid, closed, refunded].toSorted());
    await mend();
    await customers.atRest();
    const { body } = await customers.call('notification', 'GET', `/notifications?orderId=${paid}`);
    expect(body).toMatchObject([{ status: 'SENT', attempts: 1 }]);
  },
  STORY_MS,
);

test(
  'payments put back to before they were captured: the provider repeats its calls, and what was refunded is refunded once more',
  async () => {
    const [paid, refunded] = [await customers.orderToPay([TEA]), await customers.orderToPay([TEA])];
    const [payment, wrongPayment] = [await customers.paymentLink(paid), await customers.paymentLink(refunded)];
    await backedUp('payment');
    await customers.capture(payment!);
    await customers.capture(wrongPayment!, 1);
    await customers.statusIs(paid, 'PAID');
    await customers.paymentIs(wrongPayment!, 'REFUNDED');
    await customers.atRest();
    await forgottenByTheApiServer();
    await putBack('payment');

    const { code, stdout } = await reconcile();
    expect(code).toBe(1);
    expect(stdout).toMatch(
      new RegExp(`^order ${paid}:.*by hand: the payment service has not captured the payment`, 'm'),
    );
    await customers.capture(payment!);
    await customers.capture(wrongPayment!, 1);
    await mend();
    await customers.paymentIs(wrongPayment!, 'REFUNDED');
    await customers.atRest();
    expect(await reconcile()).toMatchObject({ code: 0, stdout: '' });
  },
  STORY_MS,
);

test(
  'the order service put back: what it has lost is named, for a person, who creates again what is in an archive',
  async () => {
    const paidLater = await customers.orderToPay([TEA]);
    await customers.atRest();
    await backedUp('order');
    const unknown = await customers.orderToPay([TEA]);
    const paymentId = await customers.pay(paidLater);
    await customers.atRest();
    const names = [`create-${unknown}`, `pay-${paymentId}`];
    const archived = (await shop.transactions()).filter(({ metadata }) => names.includes(metadata.name));
    await forgottenByTheApiServer();
    await putBack('order');

    const { code, stdout } = await reconcile();
    expect(code).toBe(1);
    const lines = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => [/^order (\S+):/.exec(line)?.[1], line] as const),
    );
    expect(lines.get(unknown)).toMatch(
      /order nothing, inventory FROZEN.*by hand: the order service does not know the order$/,
    );
    expect(lines.get(paidLater)).toMatch(
      /order PENDING_PAYMENT, inventory SOLD.*by hand: the order service is behind inventory$/,
    );
    expect(lines.size).toBe(2);
    expect((await reconcile('-o', 'name')).stdout).toBe('');

    // Whoever has an archive of transactions can create them again as they were.
    for (const { metadata, status: _, ...transaction } of archived) {
      const again = { ...transaction, metadata: { name: metadata.name } };
      const { status } = await shop.admin.request('POST', shop.pathOf('ordertransactions'), again);
      expect(status).toBe(201);
    }
    await customers.atRest();
    expect(await statuses([unknown, paidLater])).toEqual(['PENDING_PAYMENT', 'PAID']);
    expect(await reconcile()).toMatchObject({ code: 0, stdout: '' });
  },
  STORY_MS,
);
