/** Two systems never share a Redis. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { Redis as Client } from 'ioredis';
import { startTcpProxy } from '../tests/world/tcp-proxy.ts';
import { freshRedis } from '../tests/world/world.ts';
import { waitFor } from './deadline.ts';
import { openProcessGroup, type ProcessGroup } from './process-group.ts';
import { startRedis } from './redis.ts';

const KEY = 'ordertx:claimed-by';

let group: ProcessGroup;
let url: string;
let client: Client;

beforeAll(async () => {
  group = await openProcessGroup();
  url = await freshRedis();
  client = new Client(url);
});
afterAll(async () => {
  client.disconnect();
  await group.close();
});

async function claim() {
  const redis = await startRedis(group, { url });
  if (redis.kind !== 'external') throw new Error('a server of its own was started');
  return redis;
}

describe('a Redis from outside', () => {
  test('is refused while another system uses it, and free again afterwards', async () => {
    const first = await claim();
    await expect(claim()).rejects.toThrow(`in use by another running ordertx system (process ${process.pid}`);
    await first.release();
    const second = await claim();
    expect(second.url).toBe(url);
    await second.release();
    expect(await client.get(KEY)).toBeNull();
  });

  test('that a killed system on this machine had claimed is free at once', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    await client.set(KEY, JSON.stringify({ id: 'killed', host: hostname(), pid }), 'PX', 60_000);
    const redis = await claim();
    await redis.release();
  });

  test('that a system on another machine has claimed is refused', async () => {
    await client.set(KEY, JSON.stringify({ id: 'far', host: 'elsewhere', pid: process.pid }), 'PX', 60_000);
    await expect(claim()).rejects.toThrow('on elsewhere');
    await client.del(KEY);
  });

  test('is claimed for a limited time only', async () => {
    const redis = await claim();
    const lifeMs = await client.pttl(KEY);
    expect(lifeMs).toBeGreaterThan(0);
    expect(lifeMs).toBeLessThanOrEqual(15_000);
    await redis.release();
  });

  test('says the pid of its process when that is on this machine', async () => {
    const redis = await claim();
    expect(Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1])).toBe(redis.pid);
    await redis.release();
  });

  test('whose connection is half-open holds up no end, and its claim is renewed over another one', async () => {
    const through = new URL(url);
    const proxy = await startTcpProxy(Number(through.port));
    through.port = String(proxy.port);
    const redis = await startRedis(group, { url: through.href });
    if (redis.kind !== 'external') throw new Error('a server of its own was started');
    proxy.swallowOpen();
    await waitFor(async () => (await client.pttl(KEY)) < 9_000, { what: 'a renewal to be missed', deadlineMs: 20_000 });
    await waitFor(async () => (await client.pttl(KEY)) > 13_000, { what: 'the next renewal', deadlineMs: 20_000 });
    proxy.swallowOpen();
    const sinceMs = performance.now();
    await redis.release();
    // A command that is not answered takes five seconds.
    expect(performance.now() - sinceMs).toBeLessThan(15_000);
    await client.del(KEY);
    await proxy.close();
  }, 60_000);

  test('that does not answer is an error that names REDIS_URL', async () => {
    await expect(startRedis(group, { url: 'redis://127.0.0.1:1' })).rejects.toThrow('REDIS_URL');
  });
});
