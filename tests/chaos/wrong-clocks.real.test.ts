/**
 * Controllers whose machine's clock is wrong, or is set while they work: nothing ends early, nothing waits for an hour, and
 * the times in the status are the API server's. The page for it is followed.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectl } from '../../local/cluster.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { openReader } from '../world/page-reader.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { world } from '../world/world.ts';
import { wrongClock } from '../world/wrong-clock.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const HOUR_SECONDS = 3_600;
const SKEW = 'ordertx_clock_skew_seconds';
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

let folder: string;
let shop: Shop;
let slow: Server;
let slowUrl: string;
/** What the slow participant has been asked for. */
let asked: string[] = [];
let isReady = false;
let controller: RunningController | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clocks-'));
  const keySetFile = join(folder, 'jwks.json');
  await writeFile(keySetFile, await kubectl(world(), 'get', '--raw', '/openid/v1/jwks'));
  slow = createServer((request, response) => {
    request.resume();
    const operation = (request.url ?? '').split('/').at(-1) ?? '';
    asked.push(operation);
    if (operation === 'cancel') response.writeHead(200, { 'ordertx-state': 'Cancelled' }).end();
    else if (isReady) response.writeHead(409, { 'ordertx-state': 'Refused' }).end();
    else response.writeHead(425).end();
  });
  slow.listen(0, '127.0.0.1');
  await once(slow, 'listening');
  slowUrl = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
  shop = await openShop('clocks', { keySetFile });
  await shop.stock('tea', 1_000);
}, SETUP_MS);

afterEach(async () => {
  await controller?.part.process.stop();
  controller = undefined;
  isReady = false;
  asked = [];
});

afterAll(async () => {
  await shop.close();
  slow.closeAllConnections();
  slow.close();
  await rm(folder, { recursive: true });
}, TEST_MS);

async function startController(aheadSeconds: number, thenSeconds?: number): Promise<RunningController> {
  const allowEndpoints = [...Object.values(shop.origins), slowUrl];
  controller = await shop.startController({ allowEndpoints, env: wrongClock(aheadSeconds, thenSeconds) });
  return controller;
}

async function metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  return sumOf(await (await fetch(`${controller?.url}/metrics`)).text(), name, labels);
}

const secondsAfterCreation = (transaction: Awaited<ReturnType<Shop['final']>>, time: string | undefined): number =>
  (Date.parse(time ?? '') - Date.parse(transaction.metadata.creationTimestamp ?? '')) / 1000;

describe.each([
  ['an hour fast', HOUR_SECONDS],
  ['50 minutes slow', -3_000],
])('a controller that is %s', (_how, aheadSeconds) => {
  test(
    'carries orders to their end with one token for each service, and says how wrong it is',
    async () => {
      const { part } = await startController(aheadSeconds);
      const answers = await Promise.all(Array.from({ length: 10 }, () => shop.order([TEA])));
      for (const { body } of answers) {
        const transaction = await shop.final(body.transaction);
        expect(transaction.status?.phase).toBe('Succeeded');
        for (const time of [transaction.status?.startedAt, transaction.status?.finishedAt])
          expect(Math.abs(secondsAfterCreation(transaction, time))).toBeLessThan(30);
      }
      expect(await metric('rest_client_requests_total', { method: 'POST' })).toBe(2);
      expect(
        Math.abs((await metric('ordertx_clock_skew_seconds', { against: 'api-server' })) - aheadSeconds),
      ).toBeLessThan(5);
      expect(await readFile(part.process.logFile, 'utf8')).toContain('the clock of this machine is not the API server');

      const reader = await openReader(shop, { controllerUrl: controller?.url ?? '' });
      const page = reader.walk('clock');
      const { stdout: ofController } = await page.next('curl -s "$ORDERTX_CONTROLLER_URL/metrics"');
      const { stdout: ofOrder } = await page.next('curl -s "$ORDER_URL/metrics"');
      expect(Math.abs(sumOf(ofController, SKEW, { against: 'api-server' }) - aheadSeconds)).toBeLessThan(5);
      expect(Math.abs(sumOf(ofOrder, SKEW, { against: 'database' }))).toBeLessThan(1);
      expect((await page.next('kubectl ordertx incidents')).code).toBe(0);
      page.end();
      await reader.close();
    },
    TEST_MS,
  );

  test(
    'cancels by deadline when it is over, not before and not an hour later',
    async () => {
      await startController(aheadSeconds);
      await shop.putFlow('hasty', { origins: { order: shop.origins.order!, inventory: slowUrl }, timeoutSeconds: 5 });
      const { name } = await shop.begin('hasty', [TEA]);
      const transaction = await shop.final(name);
      expect(transaction.status).toMatchObject({ phase: 'Cancelled', decisionReason: 'DeadlineExceeded' });
      expect(secondsAfterCreation(transaction, transaction.status?.decidedAt)).toBeGreaterThanOrEqual(5);
      expect(asked.filter((operation) => operation === 'try').length).toBeGreaterThan(3);
    },
    TEST_MS,
  );
});

test.each([
  ['back', 0, -HOUR_SECONDS],
  ['forward', 0, HOUR_SECONDS],
])(
  'a clock that is set %s an hour between two calls makes the next neither late nor a decision',
  async (_how, aheadSeconds, thenSeconds) => {
    const { part } = await startController(aheadSeconds, thenSeconds);
    await shop.putFlow('patient', { origins: { order: shop.origins.order!, inventory: slowUrl }, timeoutSeconds: 900 });
    const { name } = await shop.begin('patient', [TEA]);
    await waitFor(async () => asked.length >= 3, { what: 'three calls', deadlineMs: TEST_MS });
    part.process.kill('SIGUSR2');
    const before = asked.length;
    await waitFor(async () => asked.length >= before + 5, { what: 'more calls', deadlineMs: 15_000 });
    expect((await shop.transaction(name))?.status?.decision).toBeUndefined();
    isReady = true;
    expect((await shop.final(name)).status).toMatchObject({ phase: 'Cancelled', decisionReason: 'Refused' });
  },
  TEST_MS,
);

test('at rest, the data of all services and the cluster agree', async () => {
  expect(await shop.violations()).toEqual([]);
});
