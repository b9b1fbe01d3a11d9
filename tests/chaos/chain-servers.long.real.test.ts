/**
 * Redis killed and restarted empty, wiped, and robbed of receipts; Postgres restarted: all of it while orders are in flight.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitFor } from '../../local/deadline.ts';
import { openFullShop, type FullShop } from './full-shop.ts';

const TEST_MS = 600_000;

let full: FullShop;
beforeAll(async () => {
  full = await openFullShop('chain-servers');
}, 120_000);
afterAll(() => full.close(), 60_000);

function told(how: string, became: object): void {
  process.stdout.write(`${how}: ${JSON.stringify(became)}\n`);
}

test(
  'Redis killed and restarted empty three times loses no message and applies none twice',
  async () => {
    const living: Promise<readonly string[]>[] = [];
    for (const more of [50, 20, 20]) {
      living.push((await full.beginUntil(more, more / 5)).living);
      await full.killAndRestart(full.redis);
    }
    told('Redis killed three times', await full.settled((await Promise.all(living)).flat()));
  },
  TEST_MS,
);

test(
  'Redis wiped, and receipts taken away before anybody reads them, again and again, changes nothing in the end',
  async () => {
    const redis = new Redis(full.shop.redisUrl);
    try {
      const living = full.begin(50);
      let stolen = 0;
      let wiped = 0;
      const done = waitFor(
        async () => {
          const receipts = await redis.keys('ordertx:receipts:*');
          // A receipt is taken in the moment between its arrival and its being read, whenever we are fast enough.
          for (const key of receipts) stolen += await redis.del(key);
          if (stolen > 20 * (wiped + 1)) {
            await redis.flushall();
            wiped += 1;
          }
          return stolen >= 100;
        },
        { what: '100 receipts to be taken', deadlineMs: 120_000, everyMs: 1 },
      );
      await done;
      const orderIds = await living;
      told(`${stolen} receipts streams taken, ${wiped} wipes`, await full.settled(orderIds));
      expect(wiped).toBeGreaterThan(2);
    } finally {
      redis.disconnect();
    }
  },
  TEST_MS,
);

test(
  'Postgres killed and restarted twice keeps what was committed, and all goes on',
  async () => {
    const living: Promise<readonly string[]>[] = [];
    for (const signal of ['SIGKILL', 'SIGINT'] as const) {
      living.push((await full.beginUntil(50, 10)).living);
      full.postgres.process.kill(signal);
      await full.postgres.process.exited;
      // The backends of a killed postmaster end a moment after it, and until then none starts on their data.
      await waitFor(async () => full.postgres.restart().then(() => true), {
        what: 'Postgres to be back',
        deadlineMs: 60_000,
      });
    }
    told('Postgres killed and restarted', await full.settled((await Promise.all(living)).flat()));
  },
  TEST_MS,
);
