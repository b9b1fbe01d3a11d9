/**
 * etcd is put back to an older snapshot under a running controller: what the controller remembers of the lost time is worth
 * nothing, and it must notice by itself, whether the restored store's versions are below what it remembers or above.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Line, type Shop } from '../world/shop.ts';
import { putBack, takeSnapshot, type EtcdSnapshot } from './etcd-restore.ts';

const OPEN_MS = 180_000;
const STORY_MS = 240_000;
const SOON_MS = 60_000;
const LOST = 20;
const NEW = 10;
const TEA: Line = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
/** Requests of the controller for each new order: two writes, and with them what a conflict or two would cost. */
const REQUESTS_PER_ORDER_MAX = 10;
/** Lists, watches, reads of what did not fit, Events. */
const REQUESTS_BESIDES_MAX = 150;

let own: OwnControlPlane;
let shop: Shop;
let controller: RunningController;
let snapshot: EtcdSnapshot;

beforeAll(async () => {
  own = await openControlPlane();
  shop = await openShop('wentback', { cluster: own.cluster });
  await shop.stock(TEA.skuId, 1_000);
  controller = await shop.startController();
  await ordersSucceed(2);
}, OPEN_MS);

afterAll(async () => {
  await shop.close();
  await own.close();
}, OPEN_MS);

async function ordersSucceed(count: number): Promise<void> {
  const answers = await Promise.all(Array.from({ length: count }, () => shop.order([TEA])));
  for (const { body } of answers) expect((await shop.final(body.transaction)).status?.phase).toBe('Succeeded');
}

async function metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  return sumOf(await (await fetch(`${controller.url}/metrics`)).text(), name, labels);
}

/** Undefined while the API server is not ready to say. */
async function storedCount(): Promise<number | undefined> {
  const { status, body } = await own.admin.request('GET', shop.pathOf('ordertransactions'));
  return status === 200 ? (body as { readonly items: readonly object[] }).items.length : undefined;
}

const requests = () => metric('rest_client_requests_total');
const refusedWrites = () => metric('ordertx_status_writes_total', { result: 'refused' });

/** A transaction that nobody ends and that the snapshot does not have. */
async function ghostIsKnown(): Promise<void> {
  const metadata = { name: `create-ghost-${ghosts}` };
  ghosts += 1;
  const spec = { flow: 'create-order', orderId: 'ghost', payload: {}, suspend: true };
  const ghost = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata, spec };
  expect((await own.admin.request('POST', shop.pathOf('ordertransactions'), ghost)).status).toBe(201);
  await waitFor(async () => (await metric('ordertx_transactions')) === 1, {
    what: 'the controller to know of it',
    deadlineMs: SOON_MS,
  });
}
let ghosts = 0;

test.each([
  { how: 'below', foreignPuts: 0, isStopped: false },
  { how: 'above', foreignPuts: 3_000, isStopped: true },
])(
  'with versions $how those it remembers, every new order proceeds, ghosts are gone, and nothing spins',
  async ({ foreignPuts, isStopped }) => {
    snapshot = await takeSnapshot(own, `snapshot-${foreignPuts}`);
    await waitFor(storedCount, { what: 'the API server to have found etcd again', deadlineMs: SOON_MS });
    await ordersSucceed(LOST);
    await ghostIsKnown();
    const remembered = (await storedCount()) ?? 0;
    const { process } = controller.part;
    if (isStopped) process.kill('SIGSTOP');
    await putBack(own, snapshot, foreignPuts);
    const before = await waitFor(storedCount, { what: 'the API server to list', deadlineMs: SOON_MS });
    expect(before).toBe(remembered - LOST - 1);
    const placed = await Promise.all(Array.from({ length: NEW }, () => shop.order([TEA])));
    await waitFor(async () => (await shop.transactions()).length === before + NEW, {
      what: 'the new orders to have their transactions',
      deadlineMs: SOON_MS,
    });
    if (isStopped) process.kill('SIGCONT');
    const requestsBefore = await requests();

    for (const { body } of placed) {
      expect((await shop.final(body.transaction, SOON_MS)).status?.phase).toBe('Succeeded');
    }
    await waitFor(async () => (await metric('ordertx_transactions')) === 0, {
      what: 'the ghost to be gone',
      deadlineMs: SOON_MS,
    });
    expect((await requests()) - requestsBefore).toBeLessThan(NEW * REQUESTS_PER_ORDER_MAX + REQUESTS_BESIDES_MAX);
    expect(await refusedWrites()).toBe(0);
    expect(await shop.violations()).toEqual([]);
  },
  STORY_MS,
);
