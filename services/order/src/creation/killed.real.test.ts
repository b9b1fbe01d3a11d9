/** The order service is killed between its commit and the creation: one order, one transaction, nobody notices. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { grantAccess } from '../../../../local/access.ts';
import { connect, type ApiServer } from '../../../../local/control-plane/api.ts';
import { waitFor } from '../../../../local/deadline.ts';
import { freePort } from '../../../../local/ports.ts';
import { openProcessGroup, type ProcessGroup } from '../../../../local/process-group.ts';
import { startService, type RunningService } from '../../../../local/services.ts';
import type { OrderTransaction } from '../../../../crds/generated/ordertransaction.ts';
import { orderView, placeOrder } from '../../../../tests/services/order-client.ts';
import { startTcpProxy, type TcpProxy } from '../../../../tests/world/tcp-proxy.ts';
import { freshDatabase, freshNamespace, world } from '../../../../tests/world/world.ts';

let group: ProcessGroup;
let api: ApiServer;
/** Stands between the order service and the API server. */
let proxy: TcpProxy;
let namespace: string;
let order: RunningService;
let drop: () => Promise<void>;

beforeAll(async () => {
  const { apiServerUrl, token, certificate, issuer, kubectl, kubeconfig } = world();
  group = await openProcessGroup();
  namespace = await freshNamespace('killed');
  proxy = await startTcpProxy(Number(new URL(apiServerUrl).port));
  api = connect({ url: apiServerUrl, token, certificate });
  // The service's own account, which may create transactions and nothing else.
  const cluster = { url: `https://127.0.0.1:${proxy.port}`, certificate, issuer, kubectl, kubeconfig, admin: api };
  const { orderKubeconfig } = await grantAccess(cluster, namespace, group.folder);
  const database = await freshDatabase('killed');
  drop = database.drop;
  order = await startService(group, {
    ...{ name: 'order', port: await freePort(), databaseUrl: database.url, redisUrl: world().redisUrl },
    ...{ namespaces: [namespace], callers: { kind: 'off' }, kubeconfig: orderKubeconfig },
    // Nobody is there: nothing is paid here.
    origins: { payment: `http://127.0.0.1:${await freePort()}` },
  });
}, 60_000);
afterAll(async () => {
  await group.close();
  await proxy.close();
  await api.close();
  await drop();
});

async function transactions(): Promise<readonly OrderTransaction[]> {
  const { body } = await api.request('GET', `/apis/ordertx.dev/v1alpha1/namespaces/${namespace}/ordertransactions`);
  return (body as { readonly items: readonly OrderTransaction[] }).items;
}

test('an order whose replica is killed before it could create the transaction is created by the next one, once', async () => {
  const key = randomUUID();
  proxy.break('cut');
  const placed = await placeOrder(order.url, { key });
  expect(placed.status).toBe(202);
  const { orderId, transaction } = placed.body;
  order.part.process.kill('SIGKILL');
  await order.part.process.exited;
  proxy.heal();
  await order.part.restart();
  expect(await orderView(order.url, orderId)).toMatchObject({ orderId, status: 'INIT' });
  const found = await waitFor(
    async () => {
      const items = await transactions();
      return items.length > 0 ? items : undefined;
    },
    { what: 'the transaction', deadlineMs: 30_000 },
  );
  expect(found.map(({ metadata, spec }) => [metadata.name, spec.orderId])).toEqual([[transaction, orderId]]);
  const repeated = await placeOrder(order.url, { key });
  expect(repeated).toMatchObject({ status: 202, body: { orderId, transaction } });
  expect(await transactions()).toHaveLength(1);
}, 60_000);

test('asked to end, the process ends by itself with code 0', async () => {
  const exit = await order.part.process.stop();
  expect(exit).toMatchObject({ code: 0 });
}, 20_000);
