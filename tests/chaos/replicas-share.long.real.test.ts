/**
 * One, two and four replicas: by Leases each works on a share, and none of two on the same. One that dies without a word, or is stopped
 * and says nothing, is replaced within 15 s, counted to the end of what was its own.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../../local/deadline.ts';
import type { RunningController } from '../../local/controllers.ts';
import { leaseName, LEASE_PREFIX_DEFAULT } from '../../controller/src/kubernetes/lease-names.ts';
import { shardOf } from '../../controller/src/kubernetes/shards.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;
const REPLACED_MS_MAX = 15_000;
const SHARDS = 8;
const ORDERS = 40;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
/** Nobody listens there. */
const NOBODY = 'http://127.0.0.1:9';
/** What is asked in vain is asked again soon, however long it has been. */
const RETRY = { initialDelaySeconds: 0.1, maxDelaySeconds: 0.5, factor: 2 };

let shop: Shop;
let replicas: RunningController[] = [];

beforeAll(async () => {
  shop = await openShop('share');
  await shop.stock('tea', 10_000);
}, SETUP_MS);

afterAll(() => shop.close(), TEST_MS);

const metric = async ({ url }: RunningController, name: string): Promise<number> =>
  sumOf(await (await fetch(`${url}/metrics`)).text(), name);

const each = (name: string): Promise<readonly number[]> =>
  Promise.all(replicas.map((replica) => metric(replica, name)));

async function startUntil(number: number): Promise<void> {
  const start = async (index: number): Promise<RunningController> => {
    const env = { ORDERTX_LEADER_ELECTION: 'on', ORDERTX_SHARDS: String(SHARDS) };
    return shop.startController({ name: `replica-${String(index)}`, env });
  };
  const missing = Array.from({ length: number - replicas.length }, (_, index) => replicas.length + index);
  replicas = [...replicas, ...(await Promise.all(missing.map(start)))];
  await sharedEvenly();
}

async function sharedEvenly(): Promise<void> {
  const share = String(SHARDS / replicas.length);
  await waitFor(async () => (await each('leader_election_master_status')).every((held) => String(held) === share), {
    what: `${share} shards each`,
    deadlineMs: TEST_MS,
  });
}

/** How many of so many new orders each of the replicas brings to their end. */
async function endedByEach(): Promise<readonly number[]> {
  const before = await each('ordertx_transactions_finished_total');
  const answers = await Promise.all(Array.from({ length: ORDERS }, () => shop.order([TEA])));
  await Promise.all(answers.map(({ body }) => shop.final(body.transaction, TEST_MS / 2)));
  const ended = (await each('ordertx_transactions_finished_total')).map((now, index) => now - (before[index] ?? 0));
  process.stdout.write(`${String(replicas.length)} replicas ended ${ended.join(', ')} of ${String(ORDERS)} orders\n`);
  return ended;
}

test.each([1, 2, 4])(
  '%d share the orders: each ends some, none is ended twice',
  async (number) => {
    await startUntil(number);
    const ended = await endedByEach();
    expect(ended).toHaveLength(number);
    expect(Math.min(...ended)).toBeGreaterThan(0);
    expect(ended.reduce((sum, count) => sum + count, 0)).toBe(ORDERS);
  },
  2 * TEST_MS,
);

/** Who stands in the Lease of the shard that this transaction falls into. */
async function ownerOf(name: string): Promise<string> {
  const shard = shardOf(`${shop.namespace}/${name}`, SHARDS);
  const path = `/apis/coordination.k8s.io/v1/namespaces/${shop.namespace}/leases/${leaseName(LEASE_PREFIX_DEFAULT, shard, SHARDS)}`;
  const { body } = await shop.admin.request('GET', path);
  return (body as { readonly spec: { readonly holderIdentity: string } }).spec.holderIdentity;
}

test.each(['SIGKILL', 'SIGSTOP'] as const)(
  'what a replica had on its hands when it got a %s ends within 15 s',
  async (signal) => {
    const victim = replicas.at(-1) as RunningController;
    const { order, inventory } = shop.services;
    const flow = { retry: RETRY, timeoutSeconds: 600 };
    await shop.putFlow('stuck', { ...flow, origins: { order: order.url, inventory: NOBODY } });
    const begun = await Promise.all(Array.from({ length: ORDERS }, () => shop.begin('stuck', [TEA])));
    await Promise.all(
      begun.map(({ name }) =>
        shop.transactionWhen(name, 'to wait', ({ status }) => status?.waitingFor === 'inventory'),
      ),
    );
    const owners = await Promise.all(begun.map(({ name }) => ownerOf(name)));
    const its = begun.filter((_, index) => owners[index] === victim.part.name);
    expect(its.length).toBeGreaterThan(0);

    const diedMs = performance.now();
    victim.part.process.kill(signal);
    await shop.putFlow('stuck', { ...flow, origins: { order: order.url, inventory: inventory.url } });
    await Promise.all(its.map(({ name }) => shop.final(name, REPLACED_MS_MAX)));
    const tookMs = performance.now() - diedMs;
    process.stdout.write(`${signal}: the last of its ${String(its.length)} ended after ${tookMs.toFixed(0)} ms\n`);
    expect(tookMs).toBeLessThan(REPLACED_MS_MAX);
    await Promise.all(begun.map(({ name }) => shop.final(name)));

    if (signal === 'SIGSTOP') victim.part.process.kill('SIGCONT');
    else replicas.pop();
  },
  TEST_MS,
);

test(
  'one that was stopped and goes on gives way, takes its share again, and all data agree',
  async () => {
    await waitFor(
      async () => {
        const held = await each('leader_election_master_status');
        return held.reduce((sum, count) => sum + count, 0) === SHARDS && Math.min(...held) >= 2;
      },
      { what: 'a share for each, and no shard with two owners', deadlineMs: TEST_MS },
    );
    expect(await shop.violations()).toEqual([]);
  },
  TEST_MS,
);
