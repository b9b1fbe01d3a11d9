/**
 * No process prints a password: not of a Redis that refuses the login, not of a database it cannot reach.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { startController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { freePort } from '../../local/ports.ts';
import { openProcessGroup, type ProcessGroup, type RunningProcess } from '../../local/process-group.ts';
import { startRedis } from '../../local/redis.ts';
import { startService } from '../../local/services.ts';
import { freshDatabase, freshNamespace, world } from '../world/world.ts';
import { TEST_NAMESPACE } from './running.ts';

const PASSWORD = 'wrong-Pa55word';
const TEST_MS = 60_000;

let group: ProcessGroup;
let redisUrl: string;
beforeAll(async () => {
  group = await openProcessGroup();
  const redis = await startRedis(group, { url: '' });
  const admin = new Redis(redis.url);
  await admin.config('SET', 'requirepass', 'the-right-one');
  admin.disconnect();
  redisUrl = redis.url.replace('://', `://default:${PASSWORD}@`);
}, TEST_MS);
afterAll(() => group.close());

/** What it has printed once `sentence` is among it. */
async function printedWith(process: RunningProcess, sentence: string): Promise<string> {
  const printed = () => readFile(process.logFile, 'utf8');
  await waitFor(async () => (await printed()).includes(sentence), { what: sentence, deadlineMs: 20_000 });
  return printed();
}

test.each(['wms', 'dispatch'] as const)(
  '%s says that its login at Redis was refused, and not with which password',
  async (name) => {
    const database = await freshDatabase(name);
    const service = await startService(group, {
      ...{ name, port: await freePort(), databaseUrl: database.url, redisUrl, namespaces: [TEST_NAMESPACE] },
      ...{ callers: { kind: 'off' }, env: { LOG_LEVEL: 'trace' } },
    });
    const printed = await printedWith(service.part.process, 'WRONGPASS');
    expect(printed).not.toContain(PASSWORD);
    await service.part.process.stop();
    await database.drop();
  },
  TEST_MS,
);

test(
  'the controller says that its login at Redis was refused, and not with which password',
  async () => {
    const namespace = await freshNamespace('no-secret');
    const { part } = await startController(group, {
      ...{ name: 'controller', port: await freePort(), kubeconfig: world().kubeconfig, redisUrl },
      ...{ namespaces: [namespace], allowEndpoints: [], env: { LOG_LEVEL: 'trace' } },
    });
    expect(await printedWith(part.process, 'WRONGPASS')).not.toContain(PASSWORD);
    await part.process.stop();
  },
  TEST_MS,
);

test(
  'a service that ends because its database cannot be reached does not say how it would have logged in',
  async () => {
    const nowhere = `postgres://wms:${PASSWORD}@127.0.0.1:1/wms`;
    const start = startService(group, {
      ...{ name: 'member', port: await freePort(), databaseUrl: nowhere, redisUrl, namespaces: [TEST_NAMESPACE] },
      ...{ callers: { kind: 'off' }, env: { LOG_LEVEL: 'trace' } },
    });
    const ended: unknown = await start.catch((error: unknown) => error);
    expect(String(ended)).toContain('ended before it was ready');
    expect(String(ended)).toContain('ECONNREFUSED');
    expect(String(ended)).not.toContain(PASSWORD);
  },
  TEST_MS,
);
