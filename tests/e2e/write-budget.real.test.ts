/**
 * T6: what a transaction costs the API server, counted by the API server itself, on a control plane where nobody else is.
 *
 * Counted is everything but reads in our group and of Events, so a write that nobody thought of is seen as well.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { RunningController } from '../../local/controllers.ts';
import { createNamespace } from '../../local/cluster.ts';
import { waitFor } from '../../local/deadline.ts';
import { Customers } from '../world/customers.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { samplesOf, sumOf } from '../world/prometheus-text.ts';
import { openShop, type Line, type Shop } from '../world/shop.ts';

const READS = new Set(['GET', 'LIST', 'WATCH']);
const TEA: Line = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
const GONE: Line = { skuId: 'gone', quantity: 1, unitPriceCents: 100 };
const SETTLED_MS = 30_000;
const SAMPLES = 100;
const MEASURING_MS = 240_000;
const WAIT_SECONDS = 30;

let own: OwnControlPlane;
let shop: Shop;
let customers: Customers;
let controller: RunningController;

beforeAll(async () => {
  // Durable, or the latencies printed below would say nothing.
  own = await openControlPlane({ unsafeNoFsync: false });
  shop = await openShop('budget', {
    cluster: own.cluster,
    services: ['payment', 'dispatch', 'wms', 'member', 'notification'],
  });
  customers = new Customers(shop);
  controller = await shop.startController();
  await shop.stock('tea', 1_000_000);
  await shop.stock('gone', 0);
  const flowIsHeld = async () => ((await shop.flow())?.metadata.finalizers ?? []).length > 0;
  await waitFor(flowIsHeld, { what: "the flow's finalizer", deadlineMs: SETTLED_MS });
  await live([TEA]);
}, 120_000);

afterAll(async () => {
  await shop.close();
  await own.close();
}, 60_000);

type Writes = Readonly<Record<string, number>>;

/**
 * Of every kind of write the API server has ever answered here, how many; `PUT ordertransactions/status 200`. But for the removal of
 * all whose minute has passed: it is asked for a few times in every minute, whatever transactions there are.
 */
async function writes(): Promise<Writes> {
  const { body } = await own.admin.request('GET', '/metrics');
  const counts: Record<string, number> = {};
  for (const { labels, value } of samplesOf(String(body), 'apiserver_request_total')) {
    const { verb = '', group = '', resource = '', subresource = '', scope = '', code = '' } = labels;
    if (READS.has(verb) || (group !== 'ordertx.dev' && resource !== 'events')) continue;
    if (verb === 'DELETE' && scope === 'namespace') continue;
    const what = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`} ${code}`;
    counts[what] = (counts[what] ?? 0) + value;
  }
  return counts;
}

function difference(after: Writes, before: Writes): Writes {
  const entries = Object.entries(after).map(([what, count]) => [what, count - (before[what] ?? 0)] as const);
  return Object.fromEntries(entries.filter(([, count]) => count !== 0));
}

async function controllerIsIdle(): Promise<boolean> {
  const text = await (await fetch(`${controller.url}/metrics`)).text();
  const busy = [
    'ordertx_participant_calls_under_way',
    'workqueue_depth',
    'workqueue_longest_running_processor_seconds',
  ];
  return busy.every((gauge) => sumOf(text, gauge) === 0);
}

const controllerIdle = () =>
  waitFor(controllerIsIdle, { what: 'the controller to be idle', deadlineMs: SETTLED_MS, everyMs: 10 });

async function live(lines: readonly Line[]): Promise<string | undefined> {
  const { body } = await shop.order(lines, WAIT_SECONDS);
  return (await shop.final(body.transaction)).status?.phase;
}

/** What it cost until the controller had nothing left to do. `writesMin`: a request is counted a moment after its answer. */
async function costOf(act: () => Promise<unknown>, writesMin: number): Promise<Writes> {
  const before = await writes();
  await act();
  await controllerIdle();
  return waitFor(
    async () => {
      const cost = difference(await writes(), before);
      return Object.values(cost).reduce((sum, count) => sum + count, 0) >= writesMin ? cost : undefined;
    },
    { what: `${writesMin} writes`, deadlineMs: SETTLED_MS },
  );
}

const budgetOf = (transactions: number): Writes => ({
  'POST ordertransactions 201': transactions,
  'PUT ordertransactions/status 200': 2 * transactions,
});

/** What the controller has asked of the API server, reads too, whoever else reads beside it; but for removals. */
async function controllerRequests(): Promise<Writes> {
  const text = await (await fetch(`${controller.url}/metrics`)).text();
  const counts: Record<string, number> = {};
  for (const { labels, value } of samplesOf(text, 'rest_client_requests_total')) {
    if (labels.method === 'DELETE') continue;
    const what = `${labels.method} ${labels.code}`;
    counts[what] = (counts[what] ?? 0) + value;
  }
  return counts;
}

test('a happy transaction costs the API server one create, two status writes and no Event', async () => {
  const cost = await costOf(async () => expect(await live([TEA])).toBe('Succeeded'), 3);
  expect(cost).toEqual(budgetOf(1));
});

test('the controller reads nothing back on the way: it asks two things of the API server, both status writes', async () => {
  const before = await controllerRequests();
  expect(await live([TEA])).toBe('Succeeded');
  await controllerIdle();
  expect(difference(await controllerRequests(), before)).toEqual({ 'PUT 200': 2 });
});

test('a payment costs no more with its four messages; a notice that comes after the end may add one write', async () => {
  const orderId = await customers.orderToPay([TEA]);
  await controllerIdle();
  const cost = await costOf(async () => {
    const paymentId = await customers.pay(orderId);
    const { status } = await shop.final(`pay-${paymentId}`);
    expect(status?.messages).toHaveLength(4);
    const through = ({ status: last }: OrderTransaction) => last?.expires !== undefined;
    await shop.transactionWhen(`pay-${paymentId}`, 'to be through with its notice', through);
  }, 3);
  // Whether the notice was through by the end is decided between two processes: both are within the budget, nothing else is.
  expect([budgetOf(1), { ...budgetOf(1), 'PUT ordertransactions/status 200': 3 }]).toContainEqual(cost);
});

test('a refused transaction costs the same', async () => {
  const cost = await costOf(async () => expect(await live([TEA, GONE])).toBe('Cancelled'), 3);
  expect(cost).toEqual(budgetOf(1));
});

test(
  'a crowd of them, some happy and some refused, costs no more each',
  async () => {
    const orders = Array.from({ length: 20 }, (_, index) => (index % 3 === 0 ? [GONE] : [TEA]));
    const cost = await costOf(() => Promise.all(orders.map(live)), 3 * orders.length);
    expect(cost).toEqual(budgetOf(orders.length));
  },
  2 * SETTLED_MS,
);

async function millisecondsOf(act: () => Promise<number>, status: number): Promise<number> {
  const startedMs = performance.now();
  expect(await act()).toBe(status);
  return performance.now() - startedMs;
}

const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? NaN;

test(
  'an unloaded order, from POST /orders to 201, is told beside ten single writes',
  async () => {
    const unwatched = await createNamespace(own.admin, 'unwatched');
    const path = `/apis/ordertx.dev/v1alpha1/namespaces/${unwatched}/ordertransactions`;
    const spec = { flow: 'create-order', orderId: 'o1', payload: { orderId: 'o1', userId: 'u1', lines: [TEA] } };
    const write = async (index: number) => {
      const metadata = { name: `create-o${index}` };
      const object = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata, spec };
      return (await own.admin.request('POST', path, object)).status;
    };
    const [writesMs, ordersMs]: [number[], number[]] = [[], []];
    // In turn, so that whatever else the machine does meets both.
    for (let index = 0; index < SAMPLES; index += 1) {
      writesMs.push(await millisecondsOf(() => write(index), 201));
      ordersMs.push(await millisecondsOf(async () => (await shop.order([TEA], WAIT_SECONDS)).status, 201));
      await controllerIdle();
    }
    process.stdout.write(
      `one unloaded create-order, POST /orders with Prefer: wait to 201: p50 ${median(ordersMs).toFixed(1)} ms; ten ` +
        `times one API-server write: ${(10 * median(writesMs)).toFixed(1)} ms (p50 of ${SAMPLES} each, durable etcd)\n`,
    );
  },
  MEASURING_MS,
);
