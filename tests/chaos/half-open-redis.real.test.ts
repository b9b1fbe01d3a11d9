/**
 * The controller's own connections to Redis half-open: a peer that swallows packets and never closes. Its messages flow again within
 * 30 s, what had been published and not yet answered among them.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { startTcpProxy, type TcpProxy } from '../world/tcp-proxy.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;
/** What is promised of a half-open connection. */
const FLOWS_AGAIN_MS = 30_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

let shop: Shop;
let proxy: TcpProxy;
let controller: RunningController | undefined;
/** Not through the proxy. */
let direct: Redis;

beforeAll(async () => {
  shop = await openShop('half-open', { services: ['dispatch', 'wms'] });
  await shop.stock('tea', 1_000);
  direct = new Redis(shop.redisUrl);
}, SETUP_MS);
afterAll(async () => {
  direct.disconnect();
  await shop.close();
}, SETUP_MS);

beforeEach(async () => {
  proxy = await startTcpProxy(Number(new URL(shop.redisUrl).port));
});
afterEach(async () => {
  controller?.part.process.kill('SIGKILL');
  await controller?.part.process.exited;
  await proxy.close();
});

async function start(): Promise<void> {
  const url = new URL(shop.redisUrl);
  url.port = String(proxy.port);
  controller = await shop.startController({ env: { REDIS_URL: url.href } });
}

const delivering = (name: string) =>
  shop.transactionWhen(name, 'to be decided', ({ status }) => status?.phase === 'Delivering');

const lies = async (stream: string): Promise<boolean> => (await direct.xlen(`ordertx:messages:${stream}`)) > 0;

test(
  'an order whose messages are sent into it is delivered within 30 s',
  async () => {
    await start();
    const { body: before } = await shop.order([TEA]);
    expect((await shop.final(before.transaction)).status?.phase).toBe('Succeeded');
    proxy.swallowOpen();
    const sinceMs = performance.now();
    const { body } = await shop.order([TEA]);
    expect((await shop.final(body.transaction, FLOWS_AGAIN_MS)).status?.phase).toBe('Succeeded');
    expect(performance.now() - sinceMs).toBeLessThan(FLOWS_AGAIN_MS);
  },
  TEST_MS,
);

test(
  'an order whose messages had been sent, and whose receipts are swallowed, is delivered within 30 s',
  async () => {
    await start();
    const { dispatch, wms } = shop.services;
    // Their consumers are away, so that no receipt comes before the connection is half-open.
    for (const { part } of [dispatch!, wms!]) {
      part.process.kill('SIGKILL');
      await part.process.exited;
    }
    const { body } = await shop.order([TEA]);
    await waitFor(async () => (await lies('dispatch')) && (await lies('wms')), {
      ...{ what: 'both messages to be published', deadlineMs: FLOWS_AGAIN_MS },
    });
    proxy.swallowOpen();
    const sinceMs = performance.now();
    await Promise.all([dispatch!, wms!].map(({ part }) => part.restart()));
    expect((await shop.final(body.transaction, FLOWS_AGAIN_MS)).status?.phase).toBe('Succeeded');
    expect(performance.now() - sinceMs).toBeLessThan(FLOWS_AGAIN_MS);
  },
  TEST_MS,
);

test(
  'a controller that meets it at its start delivers within 30 s of new connections working',
  async () => {
    proxy.break('answers-lost');
    await start();
    const { body } = await shop.order([TEA]);
    await delivering(body.transaction);
    proxy.swallowOpen();
    const sinceMs = performance.now();
    proxy.letNewOnesWork();
    expect((await shop.final(body.transaction, FLOWS_AGAIN_MS)).status?.phase).toBe('Succeeded');
    expect(performance.now() - sinceMs).toBeLessThan(FLOWS_AGAIN_MS);
  },
  TEST_MS,
);
