/**
 * People at their worst: `npm run drill:people [-- --orders 40 --people 2]`
 *
 * While orders are placed, paid (some twice, at the same moment) and withdrawn, people cancel, suspend, retry, copy, abandon and delete
 * their transactions and change the flows' times at random, messages are forged and sent again, and controllers and inventory are
 * killed one after the other. Then they let go. Prints how the transactions ended. Fails when one of them does not end, or when an
 * invariant is broken: no money and no unit is lost or counted twice.
 *
 * What is left out: a transaction of one flow under a name that is another flow's. Who deletes a close and makes something else in its
 * place has a transaction that its participants' fences refuse (421) until somebody removes it.
 */
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import type { RunningController } from '../../local/controllers.ts';
import { MESSAGE_FIELD, messagesStream } from '../../services/protocol/src/index.ts';
import { Customers } from '../world/customers.ts';
import { openControlPlane } from '../world/own-control-plane.ts';
import { openShop, type Shop } from '../world/shop.ts';

/** Of the creations that somebody comes upon: few, or nothing would be left to pay and to close. */
const CREATIONS_MEDDLED_WITH = 0.1;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

interface Drilled {
  readonly shop: Shop;
  readonly customers: Customers;
  readonly redis: Redis;
  readonly controllers: readonly RunningController[];
}

const chance = (part: number): boolean => Math.random() < part;
function oneOf<T>(all: readonly T[]): T | undefined {
  return all[Math.floor(Math.random() * all.length)];
}

/** Everything that a customer can do with one order, some of it twice, at the same moment. */
async function live(customers: Customers): Promise<void> {
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

async function meddle({ shop, redis }: Drilled): Promise<void> {
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
        metadata: {
          name: flow === 'close-order' ? `close-${orderId}-${Math.ceil(Math.random() * 3)}` : `${name}-copy`,
        },
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

async function killSomething({ shop, controllers }: Drilled): Promise<void> {
  const { part } = chance(0.5) ? shop.services.inventory : (oneOf(controllers) ?? shop.services.order);
  part.process.kill('SIGKILL');
  await part.process.exited;
  await part.restart();
}

async function letGo(shop: Shop): Promise<void> {
  await shop.applyFlow();
  for (const { metadata, spec } of await shop.transactions())
    if (spec.suspend) await shop.patch(metadata.name, { spec: { suspend: false } });
}

async function drill(drilled: Drilled, orders: number, people: number): Promise<void> {
  const { shop, customers } = drilled;
  let lives = orders;
  const living = Array.from({ length: orders }, () => live(customers).finally(() => (lives -= 1)));
  const meddling = Array.from({ length: people }, async () => {
    while (lives > 0) await meddle(drilled);
  });
  const killing = (async () => {
    while (lives > 0) await killSomething(drilled);
  })();
  await Promise.all([...living, ...meddling, killing]);
  await letGo(shop);
  const ends = (await shop.transactions()).map(({ spec }) => spec.flow);
  console.log(`${ends.length} transactions: ${JSON.stringify(countsOf(ends))}`);
  await customers.atRest();
  const reasons = (await shop.transactions()).map(({ spec, status }) => `${spec.flow} ${status?.decisionReason ?? ''}`);
  console.log(`how they ended: ${JSON.stringify(countsOf(reasons))}`);
}

function countsOf(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

async function main(orders: number, people: number): Promise<boolean> {
  const own = await openControlPlane();
  const services = ['payment', 'dispatch', 'wms', 'member', 'notification'] as const;
  const shop = await openShop('people', { cluster: own.cluster, ownServers: true, services });
  const redis = new Redis(shop.redisUrl);
  try {
    const controllers = await Promise.all([shop.startController(), shop.startController()]);
    await shop.stock(TEA.skuId, 1_000_000);
    await drill({ shop, customers: new Customers(shop), redis, controllers }, orders, people);
    console.log('everything has ended, and all data agree');
    return true;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    const left = (await shop.transactions()).filter(({ status }) => status?.finishedAt === undefined);
    for (const { metadata, spec, status } of left.slice(0, 10))
      console.error(JSON.stringify({ name: metadata.name, spec, status }));
    return false;
  } finally {
    redis.disconnect();
    await shop.close();
    await own.close();
  }
}

const { values } = parseArgs({
  options: { orders: { type: 'string', default: '40' }, people: { type: 'string', default: '2' } },
});
const [orders, people] = [Number(values.orders), Number(values.people)];
if (!(orders >= 1) || !(people >= 0)) {
  console.error('--orders must be a number from 1, --people one from 0');
  process.exit(2);
}
process.exit((await main(orders, people)) ? 0 : 1);
