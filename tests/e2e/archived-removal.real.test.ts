/**
 * With an archive nothing is removed that it does not keep: while its database is away all stay, every flow says so, and everything
 * else goes on; killed between keeping and removing, a controller's successors do both again, and each transaction is kept once. The page
 * for it is followed while it is away and when it is back.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { OrderTransaction, OrderTransactionStatus } from '../../crds/generated/ordertransaction.ts';
import { findByName } from '../../controller/src/archive/queries.ts';
import { pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import type { RunningController } from '../../local/controllers.ts';
import { kubectl } from '../../local/cluster.ts';
import { waitFor } from '../../local/deadline.ts';
import { adminTransport, createTransaction, expectOk } from '../world/api-client.ts';
import { openReader } from '../world/page-reader.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { startTcpProxy, type TcpProxy } from '../world/tcp-proxy.ts';
import { freshDatabase, world } from '../world/world.ts';

const ENDED = 8;
const DEADLINE_MS = 60_000;
const DECIDED = { decision: 'Confirm', decisionReason: 'AllTried' } as const;

let shop: Shop;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let proxy: TcpProxy;
let pool: pg.Pool;
const admin = adminTransport();

beforeAll(async () => {
  shop = await openShop('archived');
  database = await freshDatabase('archived');
  proxy = await startTcpProxy(Number(new URL(database.url).port));
  pool = new pg.Pool({ connectionString: database.url });
  pool.on('error', () => undefined);
}, 120_000);
afterAll(async () => {
  await pool.end();
  await shop.close();
  await proxy.close();
  await database.drop();
  await admin.close();
}, 60_000);

async function ended(name: string): Promise<OrderTransaction> {
  const path = pathOf(TRANSACTIONS, shop.namespace, name);
  const write = (transaction: OrderTransaction, status: OrderTransactionStatus) =>
    expectOk<OrderTransaction>(admin, { method: 'PUT', path: `${path}/status`, body: { ...transaction, status } });
  const created = await createTransaction(admin, shop.namespace, name);
  const begun = await write(created, {
    phase: 'Confirming',
    ...DECIDED,
    branches: [{ name: 'order', state: 'Tried' }],
  });
  const branches = [{ name: 'order', state: 'Confirmed' }] as const;
  return write(begun, { phase: 'Succeeded', ...DECIDED, branches, expires: '2026-01-01T00:05Z' });
}

function startController(perSecond: number): Promise<RunningController> {
  const through = new URL(database.url);
  through.port = String(proxy.port);
  const env = { ARCHIVE_DATABASE_URL: through.href, ORDERTX_REMOVALS_PER_SECOND: String(perSecond) };
  return shop.startController({ env });
}

const until = (what: string, ask: () => Promise<boolean>) =>
  waitFor(ask, { what, deadlineMs: DEADLINE_MS, everyMs: 50 });
const metric = async ({ url }: RunningController, name: string) =>
  sumOf(await (await fetch(`${url}/metrics`)).text(), name);
const resting = async () =>
  (await shop.transactions()).filter(({ status }) => status?.expires === '2026-01-01T00:05Z').length;
const saysOfRemoval = async () => {
  const conditions = (await shop.flow())?.status?.conditions ?? [];
  const found = conditions.find(({ type }) => type === 'RemovalFailing');
  return found && `${found.status} ${found.reason}`;
};
const rows = async (): Promise<number> =>
  pool
    .query<{ readonly rows: string }>('select count(*) as rows from ordertx_archive')
    .then(({ rows }) => Number(rows[0]?.rows))
    .catch(() => 0);

/** What the page's commands print: what the flows say, and the metrics. */
async function pageSays({ url }: RunningController): Promise<readonly [string, string]> {
  const reader = await openReader(shop, { controllerUrl: url });
  const page = reader.walk('archive');
  const flows = await page.next('kubectl get txflow');
  const metrics = await page.next('curl -s');
  page.end();
  await reader.close();
  return [flows.stdout, metrics.stdout];
}

test(
  'away, it is waited for; killed in between, a controller leaves nothing half done; put again, a transaction is another one',
  async () => {
    proxy.break('cut');
    const stored = new Map<string, string | undefined>();
    const versions = new Map<string, string | undefined>();
    for (let number = 0; number < ENDED; number += 1) {
      const { metadata } = await ended(`ended-${number}`);
      stored.set(metadata.name, metadata.uid);
      versions.set(metadata.name, metadata.resourceVersion);
    }
    const first = await startController(1);
    await until('it to be told', async () => (await metric(first, 'ordertx_archive_failing')) === 1);
    expect(await metric(first, 'ordertx_removal_overdue_seconds')).toBeGreaterThan(3_600);
    await shop.stock('tea', 10);
    expect((await shop.order([{ skuId: 'tea', quantity: 1, unitPriceCents: 450 }], 30)).status).toBe(201);
    expect(await resting()).toBe(ENDED);
    await until('the flows to say so', async () => (await saysOfRemoval()) === 'True ArchiveUnavailable');
    expect(await kubectl(world(), 'get', 'txflow', 'create-order', '--namespace', shop.namespace)).toMatch(/ True /);
    const [flowsSay, metricsSay] = await pageSays(first);
    expect(flowsSay).toMatch(/^create-order: True ArchiveUnavailable since 20/m);
    expect(sumOf(metricsSay, 'ordertx_archive_failing')).toBe(1);
    expect(metricsSay).toMatch(/^ordertx_removal_failing 0$/m);
    expect(sumOf(metricsSay, 'ordertx_removal_overdue_seconds')).toBeGreaterThan(3_600);
    for (const { metadata } of (await shop.transactions()).filter(({ metadata }) => versions.has(metadata.name)))
      expect(metadata.resourceVersion).toBe(versions.get(metadata.name));

    proxy.heal();
    await until('all to be kept', async () => (await rows()) === ENDED);
    first.part.process.kill('SIGKILL');
    await first.part.process.exited;
    expect(await resting()).toBeGreaterThan(ENDED / 2);

    const successors = await Promise.all([startController(200), startController(200)]);
    await until('all to be removed', async () => (await resting()) === 0);
    expect(await rows()).toBe(ENDED);
    for (const [name, uid] of stored) {
      const found = await findByName(pool, shop.namespace, name);
      expect(found.map(({ metadata }) => metadata.uid)).toEqual([uid]);
      expect(found[0]).toMatchObject({ spec: { flow: 'create-order' }, status: { phase: 'Succeeded' } });
      expect(JSON.stringify(found)).not.toContain('managedFields');
    }
    for (const each of successors) expect(await metric(each, 'ordertx_archive_failing')).toBe(0);
    await until('the flows to take it back', async () => (await saysOfRemoval()) === 'False Removing');
    const [flowsSayNow, metricsSayNow] = await pageSays(successors[0]);
    expect(flowsSayNow).toMatch(/^create-order: False Removing since 20/m);
    expect(metricsSayNow).toMatch(/^ordertx_archive_failing 0$/m);
    expect(metricsSayNow).toMatch(/^ordertx_removal_failing 0$/m);

    // Whoever works on transactions would get in the way of what is written here by hand.
    for (const { part } of successors) {
      part.process.kill('SIGKILL');
      await part.process.exited;
    }
    const { metadata } = await ended('ended-0');
    await startController(200);
    await until('it to be removed', async () => (await resting()) === 0);
    const both = (await findByName(pool, shop.namespace, 'ended-0')).map((found) => found.metadata.uid);
    expect(both.toSorted()).toEqual([stored.get('ended-0'), metadata.uid].toSorted());
  },
  3 * DEADLINE_MS,
);
