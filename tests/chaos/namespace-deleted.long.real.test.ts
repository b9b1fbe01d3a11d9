/**
 * A namespace that is deleted while transactions are under way in it, emptied by Kubernetes' own namespace controller.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createNamespace } from '../../local/cluster.ts';
import type { RunningController } from '../../local/controllers.ts';
import { startNamespaceController } from '../../local/control-plane/namespace-controller.ts';
import { writeKubeconfig } from '../../local/control-plane/kubeconfig.ts';
import { waitFor } from '../../local/deadline.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { join } from 'node:path';
import { pageCommands, runAsWritten } from '../world/page-commands.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Line, type Shop } from '../world/shop.ts';
import { world } from '../world/world.ts';
import { startFaultProxy, Tap, type FaultProxy } from './fault-proxy.ts';

/** kube-controller-manager is built first where nobody has built it yet. */
const BUILD_MS = 900_000;
const SETUP_MS = 120_000;
const TEST_MS = 300_000;
/** The namespace controller looks again after up to a minute. */
const EMPTIED_MS = 150_000;
/** Of a controller that may do nothing any more: informers, a Lease and three flows, each with a pause. */
const REQUESTS_PER_SECOND_MAX = 8;
const TEA: Line = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };

let group: ProcessGroup;

beforeAll(async () => {
  group = await openProcessGroup();
  await startNamespaceController(group, world().kubeconfig);
}, BUILD_MS);
afterAll(() => group.close(), SETUP_MS);

const pathOf = (shop: Shop): string => `/api/v1/namespaces/${shop.namespace}`;

async function deleteNamespace(shop: Shop): Promise<void> {
  const { status } = await shop.admin.request('DELETE', pathOf(shop));
  expect(status).toBe(200);
}

/** Messages of the namespace's conditions that are True, by their types. */
async function conditions(shop: Shop): Promise<Readonly<Record<string, string>>> {
  const { body } = await shop.admin.request('GET', pathOf(shop));
  const { status } = body as { status?: { conditions?: readonly { type: string; status: string; message: string }[] } };
  return Object.fromEntries(
    (status?.conditions ?? []).filter((each) => each.status === 'True').map(({ type, message }) => [type, message]),
  );
}

/** What the page says that the namespace's conditions say. */
async function heldBack(shop: Shop, flows: RegExp): Promise<Readonly<Record<string, string>>> {
  return waitFor(
    async () => {
      const all = await conditions(shop);
      const { NamespaceFinalizersRemaining: finalizers = '' } = all;
      return 'NamespaceDeletionContentFailure' in all && flows.test(finalizers) && all;
    },
    { what: 'the namespace’s conditions to say what holds it back', deadlineMs: EMPTIED_MS, everyMs: 250 },
  );
}

async function gone(shop: Shop): Promise<void> {
  await waitFor(async () => (await shop.admin.request('GET', pathOf(shop))).status === 404, {
    what: 'the namespace to be gone',
    deadlineMs: EMPTIED_MS,
    everyMs: 250,
  }).catch(async (error: unknown) => {
    throw new Error(`${(error as Error).message}; it says ${JSON.stringify(await conditions(shop))}`, { cause: error });
  });
}

async function place(shop: Shop): Promise<{ readonly orderId: string; readonly name: string }> {
  const { body } = await shop.order([TEA]);
  return { orderId: body.orderId, name: body.transaction };
}

async function waitingFor(shop: Shop, name: string, service: string, decision?: string): Promise<void> {
  await shop.transactionWhen(
    name,
    `to wait for ${service}`,
    ({ status }) => status?.waitingFor === service && status.decision === decision,
  );
}

describe('with a controller and services that outlive it', () => {
  let shop: Shop;
  let inventory: FaultProxy;
  let controller: RunningController;
  let database: pg.Pool;
  /** Operations at inventory whose calls do not arrive. */
  const away = new Set<string>();

  beforeAll(async () => {
    shop = await openShop('nsgone', { services: ['dispatch', 'wms'], ownServers: true, accountsElsewhere: true });
    const tap = new Tap((_, __, path) => path.startsWith('/tcc/'));
    tap.reset({ before: ({ path }) => (away.has(path.split('/').at(-1) ?? '') ? 'drop' : 'pass') });
    inventory = await startFaultProxy('inventory', shop.services.inventory.url, tap);
    await shop.applyFlow({ ...shop.origins, inventory: inventory.url });
    const hurry = { timeoutSeconds: 900, retry: { initialDelaySeconds: 0.1, maxDelaySeconds: 1, factor: 2 } };
    await shop.admin.request('PATCH', shop.pathOf('transactionflows', 'create-order'), { spec: hurry });
    await shop.stock(TEA.skuId, 100);
    database = new pg.Pool({ connectionString: shop.services.order.databaseUrl });
    // Its Lease lies in the namespace that is deleted.
    controller = await shop.startController({
      allowEndpoints: [...Object.values(shop.origins), inventory.url],
      env: { ORDERTX_LEADER_ELECTION: 'on' },
    });
  }, SETUP_MS);
  afterAll(async () => {
    await database.end();
    await shop.close();
    await inventory.close();
  }, SETUP_MS);

  test(
    'what is under way is carried to its end and goes; what a person suspended waits for him; then it is gone',
    async () => {
      const finished = await place(shop);
      await shop.final(finished.name);
      const redis = shop.ownServers?.redis;
      if (redis === undefined) throw new Error('the shop has no Redis of its own');
      redis.process.kill('SIGKILL');
      const delivering = await place(shop);
      await shop.transactionWhen(delivering.name, 'to deliver', ({ status }) => status?.phase === 'Delivering');
      away.add('confirm');
      const confirming = await place(shop);
      await waitingFor(shop, confirming.name, 'inventory', 'Confirm');
      away.add('try');
      const undecided = await place(shop);
      await waitingFor(shop, undecided.name, 'inventory');
      const suspended = await place(shop);
      await waitingFor(shop, suspended.name, 'inventory');
      await shop.patch(suspended.name, { spec: { suspend: true } });

      await deleteNamespace(shop);
      const says = await heldBack(shop, /ordertx.dev\/in-use in 1 resource instances/);
      expect(says.NamespaceDeletionContentFailure).toContain('is not finished: what its services reserved would stay');

      const late = await place(shop);
      expect(await shop.orderStatus(late.orderId)).toBe('INIT');

      away.clear();
      await redis.restart();
      for (const { orderId } of [delivering, confirming, undecided])
        await waitFor(async () => (await shop.orderStatus(orderId)) === 'PENDING_PAYMENT', {
          what: `${orderId} to be placed`,
          deadlineMs: EMPTIED_MS,
        });
      await waitFor(async () => (await shop.transactions()).length === 1, {
        what: 'only the suspended transaction to be left',
        deadlineMs: EMPTIED_MS,
        everyMs: 250,
      });
      expect(await shop.stockOf(TEA.skuId)).toMatchObject({ frozen: 4, sellable: 96 });
      for (const { orderId } of [delivering, confirming, undecided]) {
        const { url } = shop.services.dispatch ?? {};
        expect(await (await fetch(`${url}/dispatches/${orderId}`)).json()).toMatchObject({ state: 'LOCKED' });
      }

      expect(await shop.patch(suspended.name, { spec: { suspend: false } })).toBe(200);
      await gone(shop);
      expect(await shop.orderStatus(suspended.orderId)).toBe('PENDING_PAYMENT');
      expect((await fetch(`${controller.url}/readyz`)).status).toBe(200);
    },
    TEST_MS,
  );

  test('an order that came too late stays wanted, is asked for ever more seldom, and shows in a metric', async () => {
    const { rows } = await database.query<{ refused: boolean; last_error: string; failures: number; seconds: number }>(
      `select refused, last_error, failures, extract(epoch from now() - created_at)::float8 as seconds from creation`,
    );
    expect(rows).toHaveLength(1);
    const [
      { refused, last_error: error, failures, seconds } = { refused: false, last_error: '', failures: 0, seconds: 0 },
    ] = rows;
    expect(refused).toBe(true);
    expect(error).toMatch(/is being terminated|not found/);
    // Each wait is up to twice as long as the one before.
    expect(failures).toBeLessThan(5 + 2 * Math.log2(seconds / 0.1));
    const metrics = await (await fetch(`${shop.services.order.url}/metrics`)).text();
    expect(sumOf(metrics, 'ordertx_order_creation_outbox_rows', { state: 'refused' })).toBe(1);
  });

  test(
    'once the namespace is made again, so is what was still wanted there',
    async () => {
      const { rows } = await database.query<{ orderId: string }>(
        `select payload->>'orderId' as "orderId" from creation`,
      );
      await createNamespace(shop.admin, shop.namespace);
      await shop.applyFlow();
      await waitFor(async () => (await shop.orderStatus(rows[0]?.orderId ?? '')) === 'PENDING_PAYMENT', {
        what: 'the order that came too late to be placed',
        deadlineMs: EMPTIED_MS,
      });
    },
    TEST_MS,
  );
});

describe('with everything in it', () => {
  let shop: Shop;
  let controller: RunningController;

  beforeAll(async () => {
    shop = await openShop('nsall');
    await shop.stock(TEA.skuId, 100);
    shop.services.inventory.part.process.kill('SIGKILL');
    controller = await shop.startController({ env: { ORDERTX_LEADER_ELECTION: 'on' } });
  }, SETUP_MS);
  afterAll(() => shop.close(), SETUP_MS);

  /** That the controller has made of the API server. */
  const requests = async () =>
    sumOf(await (await fetch(`${controller.url}/metrics`)).text(), 'rest_client_requests_total');

  test(
    'accounts and rights are gone with it, the conditions say what is left, and the page’s commands empty it',
    async () => {
      const { name } = await place(shop);
      await waitingFor(shop, name, 'inventory');
      const before = await requests();
      const since = performance.now();
      await deleteNamespace(shop);
      const says = await heldBack(shop, /ordertx.dev\/in-use in \d resource instances/);
      expect(says.NamespaceDeletionContentFailure).toContain(`transaction ${name} is not finished`);

      const { apiServerUrl: url, certificate, token, kubectl } = world();
      const kubeconfig = join(shop.group.folder, 'kubeconfig-person');
      await writeKubeconfig(kubeconfig, { url, certificate, token, user: 'admin', namespace: 'default' });
      const names = { NAME: shop.namespace };
      for (const command of pageCommands('docs/operating/removing-a-namespace.md'))
        await runAsWritten(command, { kubectl, env: { KUBECONFIG: kubeconfig, HOME: shop.group.folder }, names });
      await gone(shop);
      const perSecond = ((await requests()) - before) / ((performance.now() - since) / 1000);
      expect(perSecond).toBeLessThan(REQUESTS_PER_SECOND_MAX);
      expect(controller.part.process.hasExited()).toBe(undefined);
    },
    TEST_MS,
  );
});
