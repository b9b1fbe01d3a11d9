/** Connections divided by who needs them, on a real database: one kind's flood leaves the others theirs. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, request, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { waitFor } from '../../../../local/deadline.ts';
import { freshDatabase } from '../../../../tests/world/world.ts';
import { memoryLog } from '../../testing/memory-log.ts';
import { forCaller } from '../caller.ts';
import { createPools, type Pools, type PoolsOptions } from './pools.ts';
import { inTransaction } from './transaction.ts';

const { log } = memoryLog();
let database: { readonly url: string; readonly drop: () => Promise<void> };
let pools: Pools;

const options = (changes: Partial<PoolsOptions['sizes']> = {}): PoolsOptions => ({
  ...{ connectionString: database.url, applicationName: 'test', log },
  sizes: { poolPublic: 2, poolCalls: 2, poolBackground: 2, ...changes },
});

beforeAll(async () => {
  database = await freshDatabase('pools');
  pools = await createPools(options());
});
afterAll(async () => {
  await pools.end();
  await database.drop();
});

test('while customers hold every connection of theirs, calls, messages and readiness have theirs', async () => {
  const held = [await pools.public.connect(), await pools.public.connect()];
  for (const pool of [pools.calls, pools.background, pools.readiness])
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await expect(pools.public.query('select 1')).rejects.toThrow('timeout exceeded when trying to connect');
  for (const client of held) client.release();
});

test('sizes that the server would never let in are named at the start', async () => {
  await expect(createPools(options({ poolPublic: 500, poolCalls: 500 }))).rejects.toThrow(
    /^One setting is not usable:\n  DATABASE_POOL_PUBLIC makes up to 1003 connections with DATABASE_POOL_CALLS and DATABASE_POOL_BACKGROUND, /,
  );
});

describe('a caller who has gone before its turn', () => {
  let server: Server;
  const outcomes: string[] = [];
  let begun = 0;

  beforeAll(async () => {
    await pools.background.query('create table turns (path text)');
    server = createServer((incoming, answer) => {
      void forCaller(answer, async () => {
        begun += 1;
        try {
          if (incoming.url === '/query') await pools.public.query(`insert into turns values ('/query')`);
          else await inTransaction(pools.public, (client) => client.query(`insert into turns values ('/transaction')`));
          outcomes.push('done');
        } catch (error) {
          outcomes.push((error as Error).name);
        }
        answer.end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  test.each(['/query', '/transaction'])(
    'has nothing begun for it (%s), and its connection is free for others',
    async (path) => {
      const held = [await pools.public.connect(), await pools.public.connect()];
      const { port } = server.address() as AddressInfo;
      const [before, outcomesBefore] = [begun, outcomes.length];
      const [gone, stays] = [0, 1].map(() =>
        request({ port, host: '127.0.0.1', path })
          .on('error', () => undefined)
          .end(),
      );
      await waitFor(async () => begun === before + 2 && pools.public.waitingCount === 2, {
        ...{ what: 'both to wait for a connection', deadlineMs: 2_000, everyMs: 5 },
      });
      gone?.destroy();
      await waitFor(async () => connectionsOf(server).then((count) => count === 1), {
        ...{ what: 'the server to see that it has gone', deadlineMs: 1_500, everyMs: 5 },
      });
      for (const client of held) client.release();
      if (stays === undefined) throw new Error('there are two callers');
      await once(stays, 'response');
      await waitFor(async () => outcomes.length === outcomesBefore + 2, { what: 'both outcomes', deadlineMs: 5_000 });
      expect(outcomes.slice(outcomesBefore).toSorted()).toEqual(['CallerGone', 'done']);
      const { rowCount } = await pools.background.query('select from turns where path = $1', [path]);
      expect(rowCount).toBe(1);
      await waitFor(async () => pools.public.idleCount === pools.public.totalCount, {
        ...{ what: 'every connection to be free', deadlineMs: 2_000 },
      });
      stays.destroy();
      await waitFor(async () => connectionsOf(server).then((count) => count === 0), {
        ...{ what: 'the connections to end', deadlineMs: 2_000 },
      });
    },
  );
});

async function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
