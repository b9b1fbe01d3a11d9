/**
 * The API server dies and comes back, or the way to it is cut: orders are accepted all the while and carried to their
 * end by the same processes. Nobody has to restart anything.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../../local/deadline.ts';
import { checkInvariants } from '../invariants/check-invariants.ts';
import type { OrderAnswer } from '../world/shop.ts';
import { storedTransactions } from './api-server-etcd.ts';
import { GONE, openApiServerShop, TEA, type ApiServerShop } from './api-server-shop.ts';

const OPEN_MS = 120_000;
const STORY_MS = 90_000;
const PROGRESS_MS = 30_000;
/** Bounds what lies around when the API server is back. */
const ORDERS_MAX = 1_000;
const CUSTOMERS = 4;

let world: ApiServerShop;
let pids: ApiServerShop['pids'];

beforeAll(async () => {
  world = await openApiServerShop('restarted');
  ({ pids } = world);
}, OPEN_MS);

afterAll(() => world.close(), OPEN_MS);

interface Placed extends OrderAnswer {
  readonly mustEnd: 'PENDING_PAYMENT' | 'CANCELLED';
}

/** Places orders one after the other, every fifth of what is not in stock, until told to stop. */
async function keepOrdering(placed: Placed[], stopped: () => boolean): Promise<void> {
  for (let index = 1; !stopped() && placed.length < ORDERS_MAX; index += 1) {
    const isGone = index % 5 === 0;
    const answer = await world.shop.order(isGone ? [TEA, GONE] : [TEA]);
    placed.push({ ...answer, mustEnd: isGone ? 'CANCELLED' : 'PENDING_PAYMENT' });
  }
}

async function expectAllEnded(placed: readonly Placed[]): Promise<void> {
  for (const { body } of placed) await world.shop.final(body.transaction);
  for (const { body, mustEnd } of placed) {
    expect([body.orderId, await world.shop.orderStatus(body.orderId)]).toEqual([body.orderId, mustEnd]);
  }
  const { order, inventory } = world.shop.services;
  const databases = { order: order.databaseUrl, inventory: inventory.databaseUrl };
  expect(await checkInvariants({ databases, transactions: await world.transactions() })).toEqual([]);
}

test(
  'killed while orders are in flight: what was accepted before and meanwhile comes to its end when it is back',
  async () => {
    const { shop, own } = world;
    const placed: Placed[] = [];
    let stopped = false;
    const customers = Array.from({ length: CUSTOMERS }, () => keepOrdering(placed, () => stopped));

    const someEnded = async () => (await world.transactions()).some(({ status }) => status?.finishedAt !== undefined);
    await waitFor(someEnded, { what: 'the first orders to be through', deadlineMs: PROGRESS_MS, everyMs: 10 });
    own.plane.apiserver.process.kill('SIGKILL');
    await own.plane.apiserver.process.exited;
    const placedBefore = placed.length;
    await waitFor(async () => placed.length >= placedBefore + 2 * CUSTOMERS, {
      what: 'orders to be accepted without an API server',
      deadlineMs: PROGRESS_MS,
    });
    stopped = true;
    await Promise.all(customers);

    expect(new Set(placed.map(({ status }) => status))).toEqual(new Set([202]));
    expect(await shop.orderStatus(placed.at(-1)!.body.orderId)).toBe('INIT');
    const stored = await storedTransactions(own.plane.etcdUrl);
    expect(stored.filter(({ status }) => status?.finishedAt === undefined)).not.toEqual([]);
    expect(stored.length).toBeLessThan(placed.length);

    await own.plane.apiserver.restart();
    await expectAllEnded(placed);
    expect(await world.transactions()).toHaveLength(placed.length);
    expect(world.pids).toEqual(pids);
  },
  STORY_MS,
);

test(
  'the way to it is cut: what was changed and created meanwhile is handled, and nothing has to be listed again',
  async () => {
    const { shop, proxy } = world;
    const suspended = await world.createSuspended('suspended-before-the-cut');
    // The newest change known still stands when the way is open again: by it the controller sees that nothing was put back.
    await world.createSuspended('newest-before-the-cut');
    const age = () => world.metric('ordertx_informer_last_event_age_seconds', { kind: 'OrderTransaction' });
    await waitFor(async () => (await age()) > 0.5, { what: 'the watch to have told all', deadlineMs: PROGRESS_MS });
    const listsBefore = await world.lists();

    await world.cut();
    expect(await shop.patch(suspended, { spec: { suspend: false } })).toBe(200);
    const created = await world.create('created-meanwhile');
    const accepted = await shop.order([TEA]);
    expect(accepted.status).toBe(202);
    expect((await shop.transaction(suspended))?.status?.phase).not.toBe('Succeeded');
    proxy.heal();

    for (const name of [suspended, created, accepted.body.transaction]) {
      expect((await shop.final(name)).status?.phase).toBe('Succeeded');
    }
    expect(await world.lists()).toBe(listsBefore);
    expect(world.pids).toEqual(pids);
  },
  STORY_MS,
);
