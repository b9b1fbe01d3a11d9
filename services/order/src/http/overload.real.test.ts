/** POST /orders when more come than can be carried, and while the database is away for a moment. Nobody carries the orders out here. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { waitFor } from '../../../../local/deadline.ts';
import { callBranch } from '../../../../tests/services/call-branch.ts';
import { orderView, placeOrder, TEAPOTS } from '../../../../tests/services/order-client.ts';
import { runOrder, type RunningTestService } from '../../../../tests/services/running.ts';
import { startTcpProxy, type TcpProxy } from '../../../../tests/world/tcp-proxy.ts';
import { freshDatabase, freshNamespace, world } from '../../../../tests/world/world.ts';

describe('with a backlog that is full', () => {
  const BACKLOG = 5;
  let order: RunningTestService;

  beforeAll(async () => {
    const namespace = await freshNamespace('overload');
    order = await runOrder({ kubeconfig: world().kubeconfig, namespace, backlogMax: BACKLOG });
  }, 30_000);
  afterAll(() => order.close());

  test('new orders are turned away at once, repeats are answered, and there is room again once it has drained', async () => {
    const key = randomUUID();
    const first = await placeOrder(order.url, { key });
    const others = await Promise.all(Array.from({ length: BACKLOG - 1 }, () => placeOrder(order.url)));
    expect(others.map(({ status }) => status)).toEqual(Array(BACKLOG - 1).fill(202));
    await waitFor(async () => (await placeOrder(order.url)).status === 503, {
      ...{ what: 'the backlog to be seen', deadlineMs: 5_000 },
    });

    const startedMs = performance.now();
    const shed = await placeOrder(order.url, { prefer: 'wait=30' });
    expect(shed).toMatchObject({ status: 503, type: 'application/problem+json', body: { code: 'overloaded' } });
    expect(shed.headers.get('retry-after')).toBe('5');
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    const metrics = await (await fetch(`${order.url}/metrics`)).text();
    expect(metrics).toMatch(/^ordertx_order_shed_total\{.*\} 2$/m);

    expect(await placeOrder(order.url, { key })).toMatchObject({ status: 202, body: { orderId: first.body.orderId } });
    const other = { ...TEAPOTS, lines: [{ skuId: 'cup', quantity: 1, unitPriceCents: 1 }] };
    expect(await placeOrder(order.url, { key, body: other })).toMatchObject({ status: 422 });
    expect(await orderView(order.url, first.body.orderId)).toMatchObject({ status: 'INIT' });

    await order.database.query('delete from creation');
    await waitFor(async () => (await placeOrder(order.url)).status === 202, {
      ...{ what: 'new orders to be accepted again', deadlineMs: 10_000 },
    });
  });
});

describe('while the database is away for a moment', () => {
  let order: RunningTestService;
  let proxy: TcpProxy;
  /** Not through the proxy. */
  let direct: pg.Pool;
  let namespace: string;
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const database = await freshDatabase('blip');
    drop = database.drop;
    const url = new URL(database.url);
    proxy = await startTcpProxy(Number(url.port));
    url.port = String(proxy.port);
    direct = new pg.Pool({ connectionString: database.url });
    namespace = await freshNamespace('blip');
    order = await runOrder({ kubeconfig: world().kubeconfig, namespace, databaseUrl: url.href });
  }, 30_000);
  afterAll(async () => {
    await order.close();
    await proxy.close();
    await direct.end();
    await drop();
  });

  /** Once this is so, the database is cut off until it is answered. */
  async function cutWhen<T>(what: string, statement: string, value: string, asked: Promise<T>): Promise<T> {
    let looks = 0;
    // Twice: what can be seen once may not have been told to the service yet.
    const isSo = async () => {
      if (((await direct.query(statement, [value])).rowCount ?? 0) > 0) looks += 1;
      return looks === 2;
    };
    await waitFor(isSo, { what, deadlineMs: 4_000, everyMs: 10 });
    proxy.break('cut');
    try {
      return await asked;
    } finally {
      proxy.heal();
    }
  }

  test('one who repeats the order, and waits for it, hears 202 as well', async () => {
    const key = randomUUID();
    const { body } = await placeOrder(order.url, { key });
    const waiting = placeOrder(order.url, { key, prefer: 'wait=5' });
    const awaited = 'select from creation where order_id = $1 and awaited';
    const answer = await cutWhen('the repeat to wait', awaited, body.orderId, waiting);
    expect(answer).toMatchObject({ status: 202, body: { orderId: body.orderId, status: 'INIT' } });
  });

  test('one who withdraws the order, and waits for its close, hears 202, and it is being closed', async () => {
    const orderId = 'o1';
    const transaction = `${namespace}/create-${orderId}`;
    const payload = { orderId, ...TEAPOTS, totalCents: 2_500 };
    for (const operation of ['try', 'confirm'] as const) {
      const call = { url: order.url, path: '/tcc/create-order', branch: 'order', transaction, operation, payload };
      await waitFor(async () => (await callBranch(call)).status === 200, { what: operation, deadlineMs: 10_000 });
    }
    const headers = { prefer: 'wait=5' };
    const withdrawing = fetch(`${order.url}/orders/${orderId}/withdraw`, { method: 'POST', headers });
    const begun = `select from creation where order_id = $1 and flow = 'close-order'`;
    const answer = await cutWhen('the close to be begun', begun, orderId, withdrawing);
    expect(answer.status).toBe(202);
    expect(await answer.json()).toMatchObject({
      orderId,
      status: 'PENDING_PAYMENT',
      transaction: `close-${orderId}-1`,
    });
  });

  test('a customer who waits for an order that was accepted hears 202, and the order is there', async () => {
    const key = randomUUID();
    const waiting = placeOrder(order.url, { key, prefer: 'wait=5' });
    const accepted = 'select from order_request where idempotency_key = $1';
    const answer = await cutWhen('the order to be accepted', accepted, key, waiting);
    expect(answer).toMatchObject({ status: 202, body: { status: 'INIT' } });
    const there = () => orderView(order.url, answer.body.orderId).catch(() => undefined);
    await waitFor(async () => (await there())?.status === 'INIT', {
      ...{ what: 'the order to be readable again', deadlineMs: 10_000 },
    });
  });
});
