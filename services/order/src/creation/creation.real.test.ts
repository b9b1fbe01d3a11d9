/** From an accepted order to its OrderTransaction, on a real API server that is now and then away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { connect, type ApiServer } from '../../../../local/control-plane/api.ts';
import { writeKubeconfig } from '../../../../local/control-plane/kubeconfig.ts';
import { waitFor } from '../../../../local/deadline.ts';
import type { OrderTransaction } from '../../../../crds/generated/ordertransaction.ts';
import { callOrderBranch, orderView, placeOrder, TEAPOTS } from '../../../../tests/services/order-client.ts';
import { runOrder, type RunningTestService } from '../../../../tests/services/running.ts';
import { startTcpProxy, type TcpProxy } from '../../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../../tests/world/world.ts';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const DEADLINE_MS = 20_000;
jest.setTimeout(40_000);

let namespace: string;
let folder: string;
let api: ApiServer;
/** Stands between the order service and the API server. */
let proxy: TcpProxy;
let order: RunningTestService;
let replica: RunningTestService;

beforeAll(async () => {
  const { apiServerUrl, token, certificate } = world();
  namespace = await freshNamespace('creation');
  api = connect({ url: apiServerUrl, token, certificate });
  proxy = await startTcpProxy(Number(new URL(apiServerUrl).port));
  folder = await mkdtemp(join(tmpdir(), 'order-creation-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const url = `https://127.0.0.1:${proxy.port}`;
  await writeKubeconfig(kubeconfig, { url, certificate, token, user: 'admin', namespace });
  order = await runOrder({ kubeconfig, namespace });
  replica = await runOrder({ kubeconfig, namespace, databaseUrl: order.databaseUrl });
}, 30_000);
afterAll(async () => {
  proxy.heal();
  await replica.close();
  await order.close();
  await proxy.close();
  await api.close();
  await rm(folder, { recursive: true });
});

const transactionsPath = (name = '') => `/apis/ordertx.dev/v1alpha1/namespaces/${namespace}/ordertransactions${name}`;

async function transactionOf(orderId: string): Promise<OrderTransaction | undefined> {
  const { status, body } = await api.request('GET', transactionsPath(`/create-${orderId}`));
  return status === 200 ? (body as OrderTransaction) : undefined;
}

function transactionOfSoon(orderId: string): Promise<OrderTransaction> {
  return waitFor(() => transactionOf(orderId), {
    what: `the transaction of order ${orderId}`,
    deadlineMs: DEADLINE_MS,
  });
}

interface OutboxRow {
  readonly failures: number;
  readonly refused: boolean;
  readonly last_error: string | null;
  readonly due_in_seconds: number;
}

async function outboxRow(orderId: string): Promise<OutboxRow | undefined> {
  const { rows } = await order.database.query<OutboxRow>(
    `select failures, refused, last_error, extract(epoch from due_at - now())::float8 as due_in_seconds
     from creation where order_id = $1`,
    [orderId],
  );
  return rows[0];
}

/** An accepted order that nobody has sent yet, as a replica leaves it that dies right after its commit. */
async function acceptedUnsent(orderId: string, dueInSeconds: number, ageSeconds = 0): Promise<void> {
  await order.database.query(
    `insert into creation (order_id, transaction, flow, payload, traceparent, awaited, created_at, due_at)
     values ($1, $2, 'create-order', $3, $4, false, now() - make_interval(secs => $5), now() + make_interval(secs => $6))`,
    [
      ...[orderId, `${namespace}/create-${orderId}`, JSON.stringify({ orderId, ...TEAPOTS, totalCents: 2500 })],
      ...[TRACEPARENT, ageSeconds, dueInSeconds],
    ],
  );
}

/** What other tests have left open is not sent again during this one: both replicas' attempts are counted together. */
async function leaveOthersAlone(): Promise<void> {
  await order.database.query(`update creation set due_at = greatest(due_at, now() + interval '1 hour')`);
}

/** 0 for a sample that is not there yet. */
async function metric(service: RunningTestService, name: string, label: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name}{`) && each.includes(label));
  return Number(line?.split(' ').at(-1) ?? 0);
}

/** Attempts of both replicas together. */
async function attempts(result: string): Promise<number> {
  const sample = ['ordertx_order_creations_total', `result="${result}"`] as const;
  return (await metric(order, ...sample)) + (await metric(replica, ...sample));
}

async function end(orderId: string, how: 'confirm' | 'cancel'): Promise<void> {
  for (const operation of ['try', how] as const) {
    expect(await callOrderBranch(order.url, { orderId, namespace, operation })).toMatchObject({ status: 200 });
  }
}

describe('an accepted order', () => {
  test('becomes a transaction at once, with one creation, and its outbox row goes with the end of its branch', async () => {
    const before = { created: await attempts('created'), exists: await attempts('exists') };
    const { body } = await placeOrder(order.url, { headers: { traceparent: TRACEPARENT } });
    const transaction = await transactionOfSoon(body.orderId);
    const { orderId } = body;
    expect(transaction.spec).toMatchObject({
      flow: 'create-order',
      orderId,
      payload: { orderId, ...TEAPOTS, totalCents: 2500 },
    });
    expect(transaction.metadata.annotations).toEqual({ 'ordertx.dev/traceparent': TRACEPARENT });
    expect((await outboxRow(orderId))?.due_in_seconds).toBeGreaterThan(5);
    await end(orderId, 'confirm');
    expect(await outboxRow(orderId)).toBeUndefined();
    // The answer is counted a moment after others can see the transaction.
    await waitFor(async () => (await attempts('created')) === before.created + 1, {
      what: 'the creation to be counted',
      deadlineMs: DEADLINE_MS,
    });
    expect(await attempts('exists')).toBe(before.exists);
  });

  test('gets a trace of its own when the customer sends none that is valid', async () => {
    const { body } = await placeOrder(order.url, { headers: { traceparent: 'nonsense' } });
    const { metadata } = await transactionOfSoon(body.orderId);
    expect(metadata.annotations?.['ordertx.dev/traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });

  test('is created again while its branch has not ended, should the API server have forgotten it', async () => {
    const { body } = await placeOrder(order.url);
    const first = await transactionOfSoon(body.orderId);
    const path = transactionsPath(`/create-${body.orderId}`);
    await api.request('PATCH', path, {
      metadata: { annotations: { 'ordertx.dev/abandon': 'as if etcd had been restored' } },
    });
    expect((await api.request('DELETE', path)).status).toBe(200);
    await order.database.query('update creation set due_at = now() where order_id = $1', [body.orderId]);
    const second = await transactionOfSoon(body.orderId);
    expect(second.metadata.uid).not.toBe(first.metadata.uid);
    expect(second.spec).toEqual(first.spec);
  });

  test('is sent again at intervals that grow with its age', async () => {
    await acceptedUnsent('of-one-minute', 0, 60);
    await transactionOfSoon('of-one-minute');
    const row = await outboxRow('of-one-minute');
    expect(row?.due_in_seconds).toBeGreaterThan(50);
    expect(row?.due_in_seconds).toBeLessThan(90);
  });

  test('that was left unsent by a replica that died is sent by another one, and by only one', async () => {
    await leaveOthersAlone();
    const before = await attempts('exists');
    const orderIds = Array.from({ length: 100 }, (_, index) => `orphan-${String(index)}`);
    // A minute old: not sent again within the next one, as young ones are after ten seconds.
    await Promise.all(orderIds.map((orderId) => acceptedUnsent(orderId, 0, 60)));
    for (const orderId of orderIds) await transactionOfSoon(orderId);
    expect(await attempts('exists')).toBe(before);
    const failed = await Promise.all(orderIds.map(async (orderId) => (await outboxRow(orderId))?.failures));
    expect(new Set(failed)).toEqual(new Set([0]));
  });

  test('that nobody could create within a week is kept and not sent any more', async () => {
    const before = await attempts('given-up');
    await acceptedUnsent('of-last-week', 0, 8 * 24 * 3600);
    await waitFor(async () => (await attempts('given-up')) > before, {
      what: 'the order to be given up',
      deadlineMs: DEADLINE_MS,
    });
    expect(await metric(order, 'ordertx_order_creation_outbox_rows', 'state="given-up"')).toBe(1);
    expect(await transactionOf('of-last-week')).toBeUndefined();
    expect(await orderView(order.url, 'of-last-week')).toMatchObject({ status: 'INIT' });
  });
});

describe('while the API server is away', () => {
  test('orders are accepted with 202, and created when it is back', async () => {
    proxy.break('cut');
    const placed = await Promise.all(Array.from({ length: 10 }, () => placeOrder(order.url)));
    expect(placed.map(({ status }) => status)).toEqual(placed.map(() => 202));
    const orderIds = placed.map(({ body }) => body.orderId);
    await waitFor(async () => ((await outboxRow(orderIds[0]!))?.failures ?? 0) >= 2, {
      what: 'the creation to have failed twice',
      deadlineMs: DEADLINE_MS,
    });
    expect((await outboxRow(orderIds[0]!))?.last_error).toContain('the API server could not be asked');
    expect(await orderView(order.url, orderIds[0]!)).toMatchObject({ status: 'INIT' });
    proxy.heal();
    for (const orderId of orderIds) await transactionOfSoon(orderId);
    await waitFor(async () => (await outboxRow(orderIds[0]!))?.failures === 0, {
      what: 'the failures to be forgotten',
      deadlineMs: DEADLINE_MS,
    });
    expect((await outboxRow(orderIds[0]!))?.last_error).toBeNull();
  });
});

test('a creation whose answer was lost is sent again and makes no second transaction', async () => {
  // The creation has to arrive, so it needs a connection that is made already: none can be made while answers are lost.
  await transactionOfSoon((await placeOrder(order.url)).body.orderId);
  await leaveOthersAlone();
  const before = { exists: await attempts('exists'), unavailable: await attempts('unavailable') };
  proxy.break('answers-lost');
  const { body } = await placeOrder(order.url);
  const { metadata } = await transactionOfSoon(body.orderId);
  await waitFor(async () => (await attempts('unavailable')) > before.unavailable, {
    what: 'the answer to be given up',
    deadlineMs: DEADLINE_MS,
  });
  proxy.heal();
  await waitFor(async () => (await attempts('exists')) > before.exists, {
    what: 'the repeat',
    deadlineMs: DEADLINE_MS,
  });
  expect((await transactionOf(body.orderId))?.metadata.uid).toBe(metadata.uid);
});

describe('a creation that the API server refuses', () => {
  test('is kept with its error, shown in the metrics and sent again slowly, and holds up no other', async () => {
    // Longer than the resource's schema allows, under a name that is fine.
    const orderId = 'x'.repeat(64);
    const before = await attempts('refused');
    await acceptedUnsent(orderId, 3600);
    await order.database.query('update creation set due_at = now(), transaction = $2 where order_id = $1', [
      orderId,
      `${namespace}/create-refused`,
    ]);
    await waitFor(async () => (await outboxRow(orderId))?.refused, { what: 'the refusal', deadlineMs: DEADLINE_MS });
    const row = await outboxRow(orderId);
    expect(row?.last_error).toContain('the API server answered 422');
    expect(row?.last_error).toContain('spec.orderId');
    expect(row?.due_in_seconds).toBeGreaterThan(120);
    expect(await attempts('refused')).toBe(before + 1);
    expect(await metric(order, 'ordertx_order_creation_outbox_rows', 'state="refused"')).toBe(1);
    const { body } = await placeOrder(order.url);
    await transactionOfSoon(body.orderId);
  });
});
