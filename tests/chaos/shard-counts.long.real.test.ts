/**
 * Replicas that divide the work into different numbers of shards, as while ORDERTX_SHARDS is being changed: nothing is left
 * to nobody, and each says that the other counts differently. The page about old and new controllers is followed.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../../local/deadline.ts';
import type { RunningController } from '../../local/controllers.ts';
import { openReader } from '../world/page-reader.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;
const ORDERS = 60;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

let shop: Shop;

beforeAll(async () => {
  shop = await openShop('counts');
  await shop.stock('tea', 1_000);
}, SETUP_MS);

afterAll(() => shop.close(), TEST_MS);

function start(name: string, shards: number): Promise<RunningController> {
  return shop.startController({ name, env: { ORDERTX_LEADER_ELECTION: 'on', ORDERTX_SHARDS: String(shards) } });
}

const metric = async ({ url }: RunningController, name: string): Promise<number> =>
  sumOf(await (await fetch(`${url}/metrics`)).text(), name, {});

async function hasAll(controller: RunningController, shards: number): Promise<void> {
  await waitFor(async () => (await metric(controller, 'leader_election_master_status')) === shards, {
    what: `all ${shards} shards`,
    deadlineMs: TEST_MS,
  });
}

async function ordersEnd(): Promise<void> {
  const answers = await Promise.all(Array.from({ length: ORDERS }, () => shop.order([TEA])));
  const ends = await Promise.all(answers.map(({ body }) => shop.final(body.transaction, TEST_MS / 2)));
  expect(new Set(ends.map(({ status }) => status?.phase))).toEqual(new Set(['Succeeded']));
}

async function followThePage({ url }: RunningController): Promise<void> {
  const reader = await openReader(shop, { controllerUrl: url });
  const page = reader.walk('rollout');
  expect((await page.next('kubectl ordertx version')).stdout).toMatch(/Controller: +\S+ \(two at /);
  expect((await page.next('kubectl ordertx check')).stdout).toMatch(/Lease ordertx-shard-0-of-3 +ok +held by three/);
  expect((await page.next('curl -s')).stdout).toBe('ok\n');
  expect((await page.next('kubectl get lease')).stdout).toMatch(/ordertx-shard-0-of-2 +two /);
  const { stdout } = await page.next('curl -s');
  expect(sumOf(stdout, 'ordertx_replicas_counting_shards_differently', {})).toBe(1);
  page.end();
  await reader.close();
}

test(
  'a replica with three shards and one with two carry every order to its end, and say that they differ',
  async () => {
    const first = await start('three', 3);
    await hasAll(first, 3);
    const second = await start('two', 2);
    await ordersEnd();
    await hasAll(second, 2);
    expect(await metric(first, 'leader_election_master_status')).toBe(3);
    for (const each of [first, second]) {
      await waitFor(async () => (await metric(each, 'ordertx_replicas_counting_shards_differently')) === 1, {
        what: 'the other to be counted',
        deadlineMs: TEST_MS / 2,
      });
    }
    expect(await first.part.process.logTail()).toContain('two into 2, this one into 3');
    expect(await second.part.process.logTail()).toContain('three into 3, this one into 2');
    await followThePage(second);

    // The change goes on: the first is replaced by one that counts like the second.
    await first.part.process.stop();
    const third = await start('two-too', 2);
    await waitFor(async () => (await metric(third, 'leader_election_master_status')) === 1, {
      what: 'a share',
      deadlineMs: TEST_MS / 2,
    });
    await ordersEnd();
    await waitFor(async () => (await metric(second, 'ordertx_replicas_counting_shards_differently')) === 0, {
      what: 'nobody to count differently any more',
      deadlineMs: TEST_MS / 2,
    });
    expect(await shop.violations()).toEqual([]);
  },
  2 * TEST_MS,
);
