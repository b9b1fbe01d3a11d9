/**
 * A shop whose every request that matters passes a Tap: what the controller asks of the API server and of participants,
 * and the order service's creation of the transaction.
 */
import type { RunningController } from '../../local/controllers.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { world } from '../world/world.ts';
import { startFaultProxy, Tap, type Fault, type Tapped } from './fault-proxy.ts';

export type Story = 'happy' | 'refused';

export const GONE = { skuId: 'gone', quantity: 1, unitPriceCents: 100 };
export const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 450 };

export interface TappedShop {
  readonly shop: Shop;
  readonly tap: Tap;
  /** Of each participant, by way of its tap. */
  readonly origins: Readonly<Record<string, string>>;
  startController(): Promise<RunningController>;
  close(): Promise<void>;
}

/** Counted: creations and status writes of transactions, reads of a single one, and calls of participants. A minute's removal is no one's own. */
function matters(to: string, method: string, path: string): boolean {
  if (to !== 'api') return path.startsWith('/tcc/');
  const { pathname, searchParams } = new URL(path, 'http://api');
  if (!/^\/apis\/ordertx\.dev\/.*\/ordertransactions/.test(pathname) || searchParams.has('watch')) return false;
  return method === 'POST' || !pathname.endsWith('/ordertransactions');
}

export async function openTappedShop(prefix: string): Promise<TappedShop> {
  const tap = new Tap(matters);
  const api = await startFaultProxy('api', world().apiServerUrl, tap, world().certificate);
  const shop = await openShop(prefix, { apiServerThrough: api.url });
  const participants = await Promise.all(
    Object.entries(shop.origins).map(
      async ([name, origin]) => [name, await startFaultProxy(name, origin, tap)] as const,
    ),
  );
  const origins = Object.fromEntries(participants.map(([name, proxy]) => [name, proxy.url]));
  await shop.applyFlow(origins);
  await shop.stock('tea', 1_000_000);
  await shop.stock('gone', 0);
  return {
    shop,
    tap,
    origins,
    startController: () =>
      shop.startController({ allowEndpoints: [...Object.values(origins), ...Object.values(shop.origins)] }),
    async close() {
      await shop.close();
      await Promise.all([api, ...participants.map(([, proxy]) => proxy)].map((proxy) => proxy.close()));
    },
  };
}

export interface StoryEnd {
  readonly requests: readonly Tapped[];
  /** What is not as this story must end; empty when all is well. */
  readonly wrong: readonly string[];
}

/** Lives one order of this story through under this fault, to its end. */
export async function live({ shop, tap }: TappedShop, story: Story, fault: Fault): Promise<StoryEnd> {
  const before = await shop.stockOf('tea');
  tap.reset(fault);
  const { body } = await shop.order(story === 'happy' ? [TEA] : [TEA, GONE]);
  const { status } = await shop.final(body.transaction);
  const requests = tap.seen;
  tap.reset({});
  const after = await shop.stockOf('tea');
  const expected =
    story === 'happy'
      ? { phase: 'Succeeded', order: 'PENDING_PAYMENT', frozen: TEA.quantity }
      : { phase: 'Cancelled', order: 'CANCELLED', frozen: 0 };
  const found = {
    phase: status?.phase,
    order: await shop.orderStatus(body.orderId),
    frozen: after.frozen - before.frozen,
  };
  const wrong = Object.entries(expected)
    .filter(([name, value]) => found[name as keyof typeof found] !== value)
    .map(([name, value]) => `${name} is ${found[name as keyof typeof found]}, not ${value}`);
  if (after.sellable + after.frozen + after.sold !== after.stocked) wrong.push('stock leaked');
  return { requests, wrong };
}

export function describeRequest({ number, to, method, path }: Tapped): string {
  const short = path
    .replace(/^.*\/(namespaces\/[^/]+\/)?(ordertransactions|tcc)/, '$2')
    .replace(/\/create-o[^/]*/, '/NAME');
  return `${String(number).padStart(2)} ${to} ${method} ${short}`;
}
