/** POST /orders when more come than can be carried, and while the database is away for a moment. Nobody carries the orders out here. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../../local/deadline.ts';
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
  let drop: () => Promise<void>;

  beforeAll(async () => {
    const database = await freshDatabase('blip');
    drop = database.drop;
    const url = new URL(database.url);
    proxy = await startTcpProxy(Number(url.port));
    url.port = String(proxy.port);
    const namespace = await freshNamespace('blip');
    order = await runOrder({ kubeconfig: world().kubeconfig, namespace, databaseUrl: url.href });
  }, 30_000);
  afterAll(async () => {
    await order.close();
    await proxy.close();
    await drop();
  });

  test('a customer who waits for an order that was accepted hears 202, and the order is there', async () => {
    const key = randomUUID();
    const waiting = placeOrder(order.url, { key, prefer: 'wait=5' });
    await waitFor(
      async () => {
        const { rowCount } = await order.database.query('select from order_request where idempotency_key = $1', [key]);
        return rowCount === 1;
      },
      { what: 'the order to be accepted', deadlineMs: 4_000, everyMs: 10 },
    );
    proxy.break('cut');
    const answer = await waiting;
    proxy.heal();
    expect(answer).toMatchObject({ status: 202, body: { status: 'INIT' } });
    const there = () => orderView(order.url, answer.body.orderId).catch(() => undefined);
    await waitFor(async () => (await there())?.status === 'INIT', {
      ...{ what: 'the order to be readable again', deadlineMs: 10_000 },
    });
  });
});
