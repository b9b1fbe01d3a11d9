/**
 * An API server that answers everything in 3.5 s: everything moves, only slower, with Leases and tokens as in production. The page for it
 * is followed meanwhile.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectl } from '../../local/cluster.ts';
import { openReader } from '../world/page-reader.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { startTcpProxy, type TcpProxy } from '../world/tcp-proxy.ts';
import { world } from '../world/world.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;
const ANSWERS_MS = 3_500;
const ORDERS = 10;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

let folder: string;
let proxy: TcpProxy;
let shop: Shop;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slow-'));
  const keySetFile = join(folder, 'jwks.json');
  await writeFile(keySetFile, await kubectl(world(), 'get', '--raw', '/openid/v1/jwks'));
  proxy = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
  shop = await openShop('slow', { keySetFile, apiServerThrough: `https://127.0.0.1:${proxy.port}` });
  await shop.stock('tea', 1_000);
}, SETUP_MS);

afterAll(async () => {
  await shop.close();
  await proxy.close();
  await rm(folder, { recursive: true });
}, TEST_MS);

test(
  'orders end well, none is cancelled, and every shard keeps its owner',
  async () => {
    const controller = await shop.startController({ env: { ORDERTX_LEADER_ELECTION: 'on', ORDERTX_SHARDS: '2' } });
    proxy.delayAnswers(ANSWERS_MS);
    const answers = await Promise.all(Array.from({ length: ORDERS }, () => shop.order([TEA])));
    const name = answers[0]?.body.transaction ?? '';
    await shop.transactionWhen(name, 'to be there', () => true);
    const reader = await openReader(shop, { controllerUrl: controller.url });
    const page = reader.walk('api-server', { 'create-o1001': name });
    expect((await page.next("kubectl get --raw '/readyz?verbose'")).stdout).toMatch(/readyz check passed\s*$/);
    expect((await page.next('curl -s "$ORDERTX_CONTROLLER_URL/metrics"')).stdout).toContain(
      'rest_client_requests_total',
    );
    expect((await page.next('curl -s "$ORDER_URL/metrics"')).stdout).toContain('ordertx_order_creation_outbox_rows');
    expect((await page.next('kubectl ordertx describe')).stdout).toMatch(/the controller \S+ says:|the controller at /);
    const ends = await Promise.all(answers.map(({ body }) => shop.final(body.transaction, TEST_MS)));
    expect((await page.next('kubectl ordertx incidents')).stderr).toContain(
      `Nothing is stuck and nothing fails in the namespace ${shop.namespace}.`,
    );
    page.end();
    await reader.close();
    expect(ends.map(({ status }) => status?.decisionReason)).toEqual(ends.map(() => 'AllTried'));
    expect(ends.map(({ status }) => status?.phase)).toEqual(ends.map(() => 'Succeeded'));
    const text = await (await fetch(`${controller.url}/metrics`)).text();
    expect(sumOf(text, 'leader_election_master_status', {})).toBe(2);
    const log = await readFile(controller.part.process.logFile, 'utf8');
    expect(log).toContain('this replica works on the shard');
    expect(log).not.toContain('the shard is another');
    proxy.delayAnswers(0);
    expect(await shop.violations()).toEqual([]);
  },
  2 * TEST_MS,
);
