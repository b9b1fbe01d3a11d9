/** The world the real tests live in is there and keeps tests apart. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { freshDatabase, freshNamespace, world } from './world.ts';

const run = promisify(execFile);

test('a fresh database is empty and gone after drop', async () => {
  const database = await freshDatabase('world');
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('create table things (id int)');
  await client.end();
  await database.drop();
  await expect(new pg.Client({ connectionString: database.url }).connect()).rejects.toThrow('does not exist');
});

test('kubectl reaches the API server as administrator', async () => {
  const namespace = await freshNamespace('world');
  const { kubectl, kubeconfig } = world();
  const { stdout } = await run(kubectl, ['--kubeconfig', kubeconfig, 'get', 'namespace', namespace, '-o', 'name']);
  expect(stdout.trim()).toBe(`namespace/${namespace}`);
});

test('Redis answers', async () => {
  const redis = new Redis(world().redisUrl);
  expect(await redis.ping()).toBe('PONG');
  redis.disconnect();
});
