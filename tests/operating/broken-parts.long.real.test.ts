/**
 * Pages of docs/operating, each followed from its first command to its last on a system in which that part is broken: a participant,
 * a consumer, a participant's data, a flow, Redis, the controller; and a participant that is too small.
 *
 * One shop for all of them: each test leaves it well, as its page promises.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findCondition } from '../../controller/src/transaction/conditions.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { backUp, restore } from '../chaos/database-restore.ts';
import { startFaultProxy, Tap, type FaultProxy } from '../chaos/fault-proxy.ts';
import type { Ended } from '../world/page-commands.ts';
import { openReader, type PageReader } from '../world/page-reader.ts';
import { samplesOf, sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';

const OPEN_MS = 180_000;
const TEST_MS = 180_000;
const SEEN_MS = 60_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
/** Long enough that no deadline decides while a page is followed. */
const PATIENT = { timeoutSeconds: 600, retry: { initialDelaySeconds: 0.2, maxDelaySeconds: 5, factor: 2 } };
const WELL = 'Nothing is stuck and nothing fails in the namespace ';

let shop: Shop;
let reader: PageReader;
let controller: RunningController;
let tap: Tap;
let inventory: FaultProxy;

beforeAll(async () => {
  shop = await openShop('pages', { services: ['dispatch', 'wms'], ownServers: true });
  tap = new Tap((_to, method, path) => method === 'POST' && path.startsWith('/tcc/'));
  inventory = await startFaultProxy('inventory', shop.services.inventory.url, tap);
  await shop.stock(TEA.skuId, 1_000);
  await shop.stock('sold-out', 0);
  controller = await shop.startController({
    allowEndpoints: [...Object.values(shop.origins), inventory.url],
    env: { ORDERTX_LEADER_ELECTION: 'on' },
  });
  reader = await openReader(shop, { controllerUrl: controller.url });
}, OPEN_MS);
beforeEach(async () => {
  tap.reset({});
  await callInventory('directly');
});
afterAll(async () => {
  await reader.close();
  await shop.close();
  await inventory.close();
}, OPEN_MS);

async function callInventory(how: 'directly' | 'by its proxy'): Promise<void> {
  await shop.applyFlow(how === 'directly' ? shop.origins : { ...shop.origins, inventory: inventory.url });
  await changeFlow(PATIENT);
}

async function changeFlow(spec: object, name = 'create-order'): Promise<void> {
  const { status } = await shop.admin.request('PATCH', shop.pathOf('transactionflows', name), { spec });
  expect(status).toBe(200);
}

function swallow(operation: 'try' | 'confirm'): void {
  tap.reset({ before: ({ path }) => (path.endsWith(`/${operation}`) ? 'drop' : 'pass') });
}

async function order(): Promise<string> {
  return (await shop.order([TEA])).body.transaction;
}

async function waitsFor(name: string, target: string, decision?: string): Promise<void> {
  await shop.transactionWhen(
    name,
    `to wait for ${target}`,
    ({ status }) => status?.waitingFor === target && status.decision === decision,
    SEEN_MS,
  );
}

async function isStuck(name: string, reason: string): Promise<void> {
  await shop.transactionWhen(
    name,
    `to be Stuck by ${reason}`,
    ({ status }) =>
      findCondition(status, 'Stuck')?.status === 'True' && findCondition(status, 'Stuck')?.reason === reason,
    SEEN_MS,
  );
}

async function succeed(...names: readonly string[]): Promise<void> {
  for (const name of names) expect((await shop.final(name, SEEN_MS)).status?.phase).toBe('Succeeded');
}

async function killed({ process }: { process: { kill(signal: NodeJS.Signals): void; exited: Promise<unknown> } }) {
  process.kill('SIGKILL');
  await process.exited;
}

async function metrics(): Promise<string> {
  return (await fetch(`${controller.url}/metrics`)).text();
}

const until = (what: string, ask: () => Promise<boolean>) => waitFor(ask, { what, deadlineMs: SEEN_MS });

const said = ({ stdout, stderr }: Ended): string => stdout + stderr;

/** The page's own words for a metric: its name, labels and value as one line. */
function shows({ stdout }: Ended, metric: string, labels: Readonly<Record<string, string>>, value: number): void {
  expect(samplesOf(stdout, metric).map((sample) => ({ labels: sample.labels, value: sample.value }))).toContainEqual({
    labels: expect.objectContaining(labels),
    value,
  });
}

test(
  'stuck-at-participant: inventory is killed under what is decided and what is not, started again, and all of it ends',
  async () => {
    await callInventory('by its proxy');
    swallow('confirm');
    const decided = await order();
    await waitsFor(decided, 'inventory', 'Confirm');
    await killed(shop.services.inventory.part);
    await callInventory('directly');
    const undecided = [await order(), await order()];
    for (const name of undecided) await waitsFor(name, 'inventory');
    await until(
      'the breaker to be open',
      async () => sumOf(await metrics(), 'ordertx_participant_breaker_open', {}) === 1,
    );

    const page = reader.walk('stuck-at-participant', { 'create-o1001': decided });
    const incidents = said(await page.next('kubectl ordertx incidents --target inventory'));
    expect(incidents).toMatch(/create-order +inventory +confirm +1 /);
    expect(incidents).toMatch(/create-order +inventory +try +[12] /);
    expect(incidents).toMatch(/refused the connection|answers no transaction at present/);
    const listed = said(await page.next('kubectl ordertx list --target inventory'));
    for (const name of [decided, ...undecided]) expect(listed).toContain(name);
    const described = said(await page.next('kubectl ordertx describe'));
    expect(described).toMatch(/Branches:[^]*inventory +Tried[^]*Next:/);
    shows(await page.next('curl -s'), 'ordertx_participant_breaker_open', {}, 1);
    expect((await page.next('curl -sS -m 5 "$INVENTORY_URL/readyz"')).stderr).toContain('onnect');
    await shop.services.inventory.part.restart();
    const retried = await page.next('kubectl ordertx retry --target inventory');
    expect({ code: retried.code, said: said(retried) }).toEqual({
      code: 0,
      said: expect.stringMatching(/retry: \d+ transactions?/),
    });
    await succeed(decided, ...undecided);
    expect(said(await page.next('kubectl ordertx incidents'))).toContain(WELL);
    page.end();
  },
  TEST_MS,
);

test(
  'stuck-at-consumer: wms is killed under orders and started again; a message that it does not know is counted as delivered by hand',
  async () => {
    await killed(shop.services.wms!.part);
    const names = [await order(), await order()];
    for (const name of names) await waitsFor(name, 'lock-wms', 'Confirm');
    const page = reader.walk('stuck-at-consumer', { 'create-o1001': names[0]! });
    const incidents = said(await page.next('kubectl ordertx incidents --target lock-wms'));
    expect(incidents).toMatch(/create-order +lock-wms +deliver +2 .*its consumer has sent no receipt/);
    expect(said(await page.next('kubectl ordertx describe'))).toMatch(/Messages:[^]*lock-wms +Reliable +Pending +\d/);
    expect((await page.next('curl -sS -m 5 "$WMS_URL/readyz"')).stderr).toContain('onnect');
    expect((await page.next('curl -sS -m 5 "$WMS_URL/metrics"')).stderr).toContain('onnect');
    await shop.services.wms!.part.restart();
    const retried = await page.next('kubectl ordertx retry --target lock-wms');
    expect({ code: retried.code, said: said(retried) }).toEqual({
      code: 0,
      said: expect.stringMatching(/retry: \d+ transactions?/),
    });
    await succeed(...names);

    // Of an order that was refused: nobody else hears of it, and nothing of it is left to disagree.
    const unknown = { name: 'audit', when: 'Cancelled', stream: 'wms', type: 'order.audited', delivery: 'Reliable' };
    await shop.putFlow('audited');
    await changeFlow({ messages: [unknown] }, 'audited');
    const { name: refused } = await shop.begin('audited', [{ ...TEA, skuId: 'sold-out' }]);
    await isStuck(refused, 'MessageRefused');
    expect((await shop.transaction(refused))?.status?.message).toMatch(/^the message audit is not delivered: wms: /);
    const settled = await page.next('kubectl ordertx settle', {
      'create-o1001': refused,
      'lock-wms': 'audit',
    });
    expect(settled).toMatchObject({ code: 0, stdout: expect.stringContaining(`${refused}: settled`) });
    expect((await shop.final(refused, SEEN_MS)).status?.phase).toBe('Cancelled');
    expect(said(await page.next('kubectl ordertx incidents --target lock-wms'))).toContain(WELL);
    page.end();
  },
  TEST_MS,
);

test(
  'refused: inventory is put back to before a try that is being confirmed; settled there, the order ends',
  async () => {
    await callInventory('by its proxy');
    await backUp(shop.services.inventory);
    swallow('confirm');
    const name = await order();
    await waitsFor(name, 'inventory', 'Confirm');
    await restore(shop.services.inventory);
    tap.reset({});
    await isStuck(name, 'ConfirmRefused');

    const page = reader.walk('refused', {
      'shop/create-o1001': `${shop.namespace}/${name}`,
      'create-o1001': name,
      'payload.json': join(reader.folder, 'payload.json'),
    });
    const incidents = said(await page.next('kubectl ordertx incidents --target inventory'));
    expect(incidents).toMatch(/inventory +confirm +1 +1 .*refused: .*Nothing was reserved here for this step/);
    expect(said(await page.next('kubectl ordertx describe'))).toMatch(/Decision: +Confirm/);
    expect((await page.next('kubectl get otx')).code).toBe(0);
    expect(said(await page.next('DATABASE_URL='))).toContain('is Confirmed now');
    expect(await page.next('kubectl ordertx retry')).toMatchObject({
      ...{ code: 0, stdout: expect.stringContaining(`${name}: settled: Succeeded`) },
    });
    expect(said(await page.next('kubectl ordertx incidents'))).toContain(WELL);
    expect((await page.next('node scripts/run.mjs services/reconcile')).code).toBe(0);
    page.end();
  },
  TEST_MS,
);

test(
  'flow-missing: a flow is deleted by force under an order, another order comes, and both end once it is created again',
  async () => {
    await callInventory('by its proxy');
    swallow('try');
    const begun = await order();
    await waitsFor(begun, 'inventory');
    const { spec } = (await shop.flow()) ?? {};
    const path = shop.pathOf('transactionflows', 'create-order');
    await shop.admin.request('DELETE', path);
    await shop.admin.request('PATCH', path, { metadata: { finalizers: null } });
    const never = await order();
    for (const name of [begun, never]) await isStuck(name, 'FlowNotFound');

    const file = join(reader.folder, 'create-order.yaml');
    const flow = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow', metadata: { name: 'create-order' } };
    await writeFile(file, JSON.stringify({ ...flow, spec }));
    const page = reader.walk('flow-missing', { 'crds/flows/create-order.yaml': file });
    const incidents = said(await page.next('kubectl ordertx incidents --flow create-order'));
    expect(incidents).toMatch(/create-order .* 2 +2 .*the TransactionFlow create-order does not exist/);
    expect(said(await page.next('kubectl ordertx flows'))).toMatch(
      /2 transactions waiting for the flow \S+create-order/,
    );
    tap.reset({});
    expect((await page.next('kubectl apply -f')).code).toBe(0);
    await succeed(begun, never);
    expect(said(await page.next('kubectl ordertx incidents --flow create-order'))).toContain(WELL);
    page.end();
  },
  TEST_MS,
);

test.each([
  {
    how: 'away, and comes back empty',
    up: 0,
    check: 'wrong',
    breakIt: () => killed(shop.ownServers!.redis),
    mendIt: () => shop.ownServers!.redis.restart(),
  },
  {
    how: 'read-only, as a replica that nobody has promoted',
    up: 1,
    check: 'ok',
    breakIt: () => replicaOf('127.0.0.1', '1'),
    mendIt: () => replicaOf('NO', 'ONE'),
  },
])(
  'redis: it is $how; orders wait, and go on by themselves',
  async ({ up, check, breakIt, mendIt }) => {
    await breakIt();
    const name = await order();
    await shop.transactionWhen(
      name,
      'to say that Redis did not take it',
      ({ status }) => status?.message?.includes('Redis did not take it: ') === true,
      SEEN_MS,
    );
    const trouble = async () => sumOf(await metrics(), 'ordertx_broker_trouble', { doing: 'publish' });
    const redisUp = async () => sumOf(await metrics(), 'ordertx_redis_up', {});
    await until('the metrics to say so', async () => (await trouble()) === 1 && (await redisUp()) === up);
    const page = reader.walk('redis');
    expect(said(await page.next('kubectl ordertx incidents'))).toMatch(/lock-\w+ +deliver +1 .*Redis did not take it/);
    const broken = await page.next('curl -s');
    shows(broken, 'ordertx_redis_up', {}, up);
    shows(broken, 'ordertx_broker_trouble', { doing: 'publish' }, 1);
    expect(said(await page.next('kubectl ordertx check'))).toMatch(new RegExp(`Redis from \\S+ +${check}\\b`));

    await mendIt();
    await succeed(name);
    await until('the metrics to say that it is well', async () => (await trouble()) === 0 && (await redisUp()) === 1);
    expect(said(await page.next('kubectl ordertx incidents'))).toContain(WELL);
    const well = await page.next('curl -s');
    shows(well, 'ordertx_redis_up', {}, 1);
    shows(well, 'ordertx_broker_trouble', { doing: 'publish' }, 0);
    page.end();
  },
  TEST_MS,
);

async function replicaOf(host: string, port: string): Promise<void> {
  const redis = new Redis(shop.redisUrl);
  await redis.call('REPLICAOF', host, port);
  redis.disconnect();
}

test(
  'controller-away: the only controller is killed and orders come; started again, it carries them on',
  async () => {
    await killed(controller.part);
    const name = await order();
    await until('the Lease to have run out', async () => {
      const path = `/apis/coordination.k8s.io/v1/namespaces/${shop.namespace}/leases`;
      const { body } = await shop.admin.request('GET', path);
      const { items } = body as { readonly items: readonly { readonly spec: { readonly renewTime: string } }[] };
      return items.every(({ spec }) => Date.now() - Date.parse(spec.renewTime) > 11_000);
    });
    const page = reader.walk('controller-away');
    const away = await page.next('kubectl ordertx check');
    expect(away.code).toBe(1);
    expect(said(away)).toMatch(/Lease ordertx-shard-0\S* +wrong +nobody has renewed it for .*is a controller running/);
    expect(said(away)).toMatch(/controller http\S+ +wrong +ECONNREFUSED/);
    expect(said(await page.next('kubectl ordertx top --once'))).toMatch(/create-order +1 +1 /);
    await controller.part.restart();
    await succeed(name);
    const back = said(await page.next('kubectl ordertx check'));
    expect(back).toMatch(/Lease ordertx-shard-0\S* +ok +held by/);
    expect(back).toMatch(/controller http\S+ +ok/);
    expect(said(await page.next('kubectl ordertx top --once'))).toContain('0 unfinished transactions');
    page.end();
  },
  TEST_MS,
);

test(
  'sizing: orders wait for a participant with one place, and go on when it has more',
  async () => {
    await callInventory('by its proxy');
    const [one, other] = (await shop.flow())?.spec.participants ?? [];
    await changeFlow({ participants: [one, { ...other, timeoutSeconds: 60, maxConcurrency: 1 }] });
    const { promise, resolve } = Promise.withResolvers<'pass'>();
    tap.reset({ before: () => promise });
    const names = await Promise.all(Array.from({ length: 5 }, order));
    const waiting = async () => sumOf(await metrics(), 'ordertx_participant_calls_waiting', {});
    await until('four to wait', async () => (await waiting()) === 4);
    const page = reader.walk('sizing');
    const seen = await page.next('curl -s "$ORDERTX_CONTROLLER_URL/metrics"');
    shows(seen, 'ordertx_participant_calls_waiting', {}, 4);
    expect(seen.stdout).toContain('workqueue_depth');
    expect((await page.next('curl -s "$ORDER_URL/metrics"')).stdout).toContain('ordertx_order_creation_outbox_rows');
    expect(said(await page.next('kubectl ordertx top --once'))).toMatch(/create-order +5 /);
    expect((await page.next('kubectl patch txflow create-order')).code).toBe(0);
    await until('none to wait', async () => (await waiting()) === 0);
    resolve('pass');
    await succeed(...names);
    page.end();
  },
  TEST_MS,
);

test('at rest, the data of all services and the cluster agree', async () => {
  expect(await shop.violations()).toEqual([]);
});
