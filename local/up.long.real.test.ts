/** What takes `up` longer: every part killed and back, and an end beside a Redis that answers nobody. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTcpProxy } from '../tests/world/tcp-proxy.ts';
import {
  BACK_MS,
  comesBack,
  nothingIsLeft,
  placeOrder,
  startUp,
  untilUp,
  UP_MS,
  type System,
} from '../tests/world/up-system.ts';
import { freePort } from './ports.ts';
import { openProcessGroup } from './process-group.ts';
import { startRedis } from './redis.ts';

/** Of an end in which nothing that Redis was asked is answered. */
const ENDED_MS = 20_000;

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'up-test-'));
  await chmod(root, 0o755);
});
afterAll(() => rm(root, { recursive: true }));

describe('a system with --restart', () => {
  let system: System;
  beforeAll(async () => {
    system = await startUp(root, 'restarting', ['--restart']);
    await untilUp(system);
  }, UP_MS);
  afterAll(async () => {
    system.up.kill('SIGTERM');
    await system.exitCode;
  }, UP_MS);

  test.each(['order', 'inventory', 'wms', 'controller 1', 'redis', 'postgres', 'apiserver', 'etcd'])(
    'a killed %s comes back on its port, and orders go through again',
    (name) => comesBack(system, name),
    2 * BACK_MS,
  );
});

test(
  'interrupted while its Redis is half-open it ends in bounded time and leaves nothing',
  async () => {
    const group = await openProcessGroup();
    const redis = await startRedis(group, { url: '' });
    if (redis.kind !== 'own') throw new Error('a Redis of its own was asked for');
    const proxy = await startTcpProxy(redis.port);
    const system = await startUp(root, 'half-open', [], { REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    const description = await untilUp(system);
    // Also those that are made from now on.
    proxy.break('answers-lost');
    proxy.swallowOpen();
    expect((await placeOrder(description, 'k1'))[0]).toBe(201);
    const sinceMs = performance.now();
    system.up.kill('SIGINT');
    expect(await system.exitCode).toBe(0);
    expect(performance.now() - sinceMs).toBeLessThan(ENDED_MS);
    // The Redis is not its own: it lives on.
    const redisUrl = `redis://127.0.0.1:${await freePort()}`;
    await nothingIsLeft(system, { ...description, redisUrl, redis: { pid: description.apiserver.pid } });
    await proxy.close();
    await group.close();
  },
  2 * UP_MS,
);
