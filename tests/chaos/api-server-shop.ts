/**
 * A shop on an API server of its own, reached through a TCP proxy, so that a test may take either away.
 */
import { waitFor } from '../../local/deadline.ts';
import type { RunningController } from '../../local/controllers.ts';
import type { ControlPlaneOptions } from '../../local/control-plane/start.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Line, type Shop } from '../world/shop.ts';
import { startTcpProxy, type TcpProxy } from '../world/tcp-proxy.ts';

export const TEA: Line = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
/** Never in stock. */
export const GONE: Line = { skuId: 'gone', quantity: 1, unitPriceCents: 100 };
const NOTICED_MS = 30_000;

export class ApiServerShop {
  readonly own: OwnControlPlane;
  readonly proxy: TcpProxy;
  readonly shop: Shop;
  readonly controller: RunningController;

  constructor(parts: Pick<ApiServerShop, 'own' | 'proxy' | 'shop' | 'controller'>) {
    this.own = parts.own;
    this.proxy = parts.proxy;
    this.shop = parts.shop;
    this.controller = parts.controller;
  }

  /** The controller and the services; a part that was restarted, or has died, shows another pid or none. */
  get pids(): readonly (number | undefined)[] {
    const parts = [this.controller.part, ...Object.values(this.shop.services).map(({ part }) => part)];
    return parts.map(({ process }) => (process.hasExited() ? undefined : process.pid));
  }

  /** Stored directly, past proxy and order service, as a person with kubectl would. */
  async create(orderId: string, spec: Partial<OrderTransaction['spec']> = {}): Promise<string> {
    const name = `create-${orderId}`;
    const payload = { orderId, userId: 'u1', lines: [TEA], totalCents: TEA.quantity * TEA.unitPriceCents };
    const object = {
      apiVersion: 'ordertx.dev/v1alpha1',
      kind: 'OrderTransaction',
      metadata: { name },
      spec: { flow: 'create-order', orderId, payload, ...spec },
    };
    const { status, body } = await this.own.admin.request('POST', this.shop.pathOf('ordertransactions'), object);
    if (status !== 201) throw new Error(`${name} was not created (${status}): ${JSON.stringify(body)}`);
    return name;
  }

  /** A transaction that waits, and of which the controller has said so. */
  async createSuspended(orderId: string): Promise<string> {
    const name = await this.create(orderId, { suspend: true });
    await this.shop.transactionWhen(name, 'to be suspended', ({ status }) =>
      (status?.conditions ?? []).some(({ type, status: is }) => type === 'Suspended' && is === 'True'),
    );
    return name;
  }

  /** Cuts every connection to the API server; resolves once somebody has tried in vain to make a new one. */
  async cut(): Promise<void> {
    const before = this.proxy.connectionsMade();
    this.proxy.break('cut');
    await waitFor(async () => this.proxy.connectionsMade() > before, {
      what: 'a new connection to be tried',
      deadlineMs: NOTICED_MS,
    });
  }

  /** One of the controller's metrics, summed over its labels. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return sumOf(await (await fetch(`${this.controller.url}/metrics`)).text(), name, labels);
  }

  /** How often the controller has listed all transactions since it started. */
  lists(): Promise<number> {
    return this.metric('ordertx_informer_lists_total', { kind: 'OrderTransaction' });
  }

  async transactions(): Promise<readonly OrderTransaction[]> {
    const { body } = await this.own.admin.request('GET', this.shop.pathOf('ordertransactions'));
    return (body as { readonly items: readonly OrderTransaction[] }).items;
  }

  async close(): Promise<void> {
    await this.shop.close();
    await this.proxy.close();
    await this.own.close();
  }
}

export async function openApiServerShop(prefix: string, options: ControlPlaneOptions = {}): Promise<ApiServerShop> {
  const own = await openControlPlane(options);
  const proxy = await startTcpProxy(Number(new URL(own.plane.url).port));
  const shop = await openShop(prefix, {
    cluster: own.cluster,
    apiServerThrough: `https://127.0.0.1:${proxy.port}`,
  });
  await shop.stock(TEA.skuId, 1_000_000);
  await shop.stock(GONE.skuId, 0);
  const controller = await shop.startController({ env: { ORDERTX_LEADER_ELECTION: 'on' } });
  return new ApiServerShop({ own, proxy, shop, controller });
}
