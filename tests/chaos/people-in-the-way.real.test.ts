/**
 * People at their worst, on the real parts: while orders are placed, paid and withdrawn they cancel, suspend, retry, copy, delete and
 * change flows at random, messages are forged and sent again, and controllers and inventory are killed. Once they let go, every
 * transaction ends and every invariant holds: no money and no unit is lost or counted twice.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RunningController } from '../../local/controllers.ts';
import { MESSAGE_FIELD, messagesStream } from '../../services/protocol/src/index.ts';
import { Customers } from '../world/customers.ts';
import { openShop, type Shop } from '../world/shop.ts';

const OPEN_MS = 120_000;
const TEST_MS = 300_000;
const ORDERS = 40;
const PEOPLE = 2;
/** Of the creations that somebody comes upon: few, or nothing would be left to pay and to close. */
const CREATIONS_MEDDLED_WITH = 0.1;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

let shop: Shop;
let customers: Customers;
let redis: Redis;
let controllers: RunningController[];

beforeAll(async () => {
  shop = await openShop('people', { services: ['payment', 'dispatch', 'wms', 'member', 'notification'] });
  customers = new Customers(shop);
  redis = new Redis(shop.redisUrl);
  controllers = await Promise.all([shop.startController(), shop.startController()]);
  await shop.stock(TEA.skuId, 10_000);
}, OPEN_MS);
afterAll(async () => {
  redis.disconnect();
  await shop.close();
}, OPEN_MS);

const chance = (part: number): boolean => Math.random() < part;
function oneOf<T>(all: readonly T[]): T | undefined {
  return all[Math.floor(Math.random() * all.length)];
}

/** Everything that a customer can do with one order, some of it twice, at the same moment. */
async function live(): Promise<void> {
  const orderId = await customers.order([TEA]);
  await customers.statusIs(orderId, 'PENDING_PAYMENT', 'CANCELLED');
  const payOnce = async (): Promise<void> => {
    const paymentId = await customers.paymentLink(orderId);
    if (paymentId === undefined) return;
    await customers.capture(paymentId);
    if (chance(0.3)) {
      const again = { captureId: `again-${paymentId}` };
      await customers.insist('a second capture', () =>
        customers.call('payment', 'POST', `/payments/${paymentId}/pay`, again),
      );
    }
  };
  const acts: Promise<unknown>[] = [];
  if (chance(0.8)) acts.push(payOnce());
  if (chance(0.4)) acts.push(payOnce());
  if (chance(0.3)) acts.push(customers.insist('a withdrawal', () => customers.withdraw(orderId)));
  await Promise.all(acts);
}

async function meddle(): Promise<void> {
  const transaction = oneOf(await shop.transactions());
  if (transaction === undefined) return;
  const { name, namespace } = transaction.metadata;
  const { flow, orderId, payload } = transaction.spec;
  if (flow === 'create-order' && !chance(CREATIONS_MEDDLED_WITH)) return;
  const patch = (change: object) => shop.patch(name, change);
  const acts: readonly (() => Promise<unknown>)[] = [
    () => patch({ spec: { cancelRequested: true } }),
    () => patch({ spec: { suspend: chance(0.5) } }),
    () => patch({ metadata: { annotations: { 'ordertx.dev/retry-requested-at': String(Math.random()) } } }),
    // A copy, under another name or the name of something else.
    () =>
      shop.admin.request('POST', shop.pathOf('ordertransactions'), {
        ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction' },
        metadata: { name: chance(0.5) ? `${name}-copy` : `close-${orderId}-${Math.ceil(Math.random() * 3)}` },
        spec: { flow, orderId, payload, cancelRequested: chance(0.3) },
      }),
    async () => {
      await patch({ metadata: { annotations: { 'ordertx.dev/abandon': 'somebody was in a hurry' } } });
      await shop.admin.request('DELETE', shop.pathOf('ordertransactions', name));
    },
    async () => {
      const spec = { timeoutSeconds: oneOf([1, 5, 30]), retry: { maxDelaySeconds: oneOf([1, 5]) } };
      await shop.admin.request('PATCH', shop.pathOf('transactionflows', flow), { spec });
    },
    // The message that would give a payment back, and everything that lies on a stream once more.
    async () => {
      const data = {
        id: `${namespace}/${name}/refund`,
        source: `ordertx/${namespace}/pay-order`,
        type: 'payment.refund',
      };
      const event = {
        specversion: '1.0',
        ...data,
        reason: 'Refused',
        attempt: 1,
        replyto: 'ordertx:receipts:x',
        data: payload,
      };
      await redis.xadd(messagesStream('payment'), '*', MESSAGE_FIELD, JSON.stringify(event));
    },
    async () => {
      const stream = messagesStream(oneOf(['order', 'payment', 'dispatch', 'wms', 'member']) ?? 'order');
      for (const [, fields] of await redis.xrange(stream, '-', '+')) await redis.xadd(stream, '*', ...fields);
    },
  ];
  await oneOf(acts)?.();
}

async function killSomething(): Promise<void> {
  const { part } = chance(0.5) ? shop.services.inventory : oneOf(controllers)!;
  part.process.kill('SIGKILL');
  await part.process.exited;
  await part.restart();
}

async function letGo(): Promise<void> {
  await shop.applyFlow();
  for (const { metadata, spec } of await shop.transactions())
    if (spec.suspend) await shop.patch(metadata.name, { spec: { suspend: false } });
}

test(
  'whatever people do meanwhile, in the end all agree',
  async () => {
    let lives = ORDERS;
    const orders = Array.from({ length: ORDERS }, () => live().finally(() => (lives -= 1)));
    const people = Array.from({ length: PEOPLE }, async () => {
      while (lives > 0) await meddle();
    });
    const faults = (async () => {
      while (lives > 0) await killSomething();
    })();
    await Promise.all([...orders, ...people, faults]);
    await letGo();
    await customers.atRest();
    const ends = (await shop.transactions()).map(
      ({ spec, status }) => `${spec.flow} ${String(status?.decisionReason)}`,
    );
    const counts = Object.groupBy(ends, (end) => end);
    console.info(
      `people in the way: ${JSON.stringify(Object.fromEntries(Object.entries(counts).map(([end, all]) => [end, all?.length])))}`,
    );
    expect(await shop.violations()).toEqual([]);
  },
  TEST_MS,
);
