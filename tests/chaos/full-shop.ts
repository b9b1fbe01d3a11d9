/**
 * A shop of all seven services on servers of its own, to be broken in every way while orders are in flight.
 */
import { waitFor } from '../../local/deadline.ts';
import type { Part } from '../../local/parts.ts';
import type { RunningController } from '../../local/controllers.ts';
import { Customers } from '../world/customers.ts';
import { live, STOCK } from '../world/lives.ts';
import { openShop, type Shop } from '../world/shop.ts';

/** Short enough to see unpaid orders closed, long enough for those who pay to be in time now and then. */
const PAYMENT_TIMEOUT_SECONDS = 25;
/** Payment services are killed here: what they hold off must not outlast a test's patience. */
const PAYMENT_GRACE_SECONDS = 5;
/** Restarted parts come back within seconds; the longest pause of a sender is a minute. */
const REST_MS = 240_000;

export class FullShop {
  readonly shop: Shop;
  readonly customers: Customers;
  readonly controller: RunningController;
  #lives = 0;

  constructor(shop: Shop, controller: RunningController) {
    this.shop = shop;
    this.customers = new Customers(shop);
    this.controller = controller;
  }

  /** Begins orders of every kind. */
  begin(count: number): Promise<readonly string[]> {
    const from = this.#lives;
    this.#lives += count;
    const living = live(this.customers, count, from);
    living.catch(() => undefined); // Whoever waits for it hears of it.
    return living;
  }

  /**
   * Begins orders and waits until this many transactions more than before are there: orders are in flight. Counted before they
   * begin, because on a quiet machine they are through before anybody has counted.
   */
  async beginUntil(count: number, inFlight: number): Promise<{ readonly living: Promise<readonly string[]> }> {
    const before = (await this.shop.transactions()).length;
    const living = this.begin(count);
    await waitFor(async () => (await this.shop.transactions()).length >= before + inFlight, {
      what: `${inFlight} transactions to begin`,
      deadlineMs: 60_000,
    });
    return { living };
  }

  /** kill -9, and back again. */
  async killAndRestart(part: Part): Promise<void> {
    part.process.kill('SIGKILL');
    await part.process.exited;
    await part.restart();
  }

  get parts(): Readonly<Record<string, Part>> {
    const services = Object.entries(this.shop.services).map(([name, { part }]) => [name, part] as const);
    return { ...Object.fromEntries(services), controller: this.controller.part };
  }

  get redis(): Part {
    return this.#server('redis');
  }

  get postgres(): Part {
    return this.#server('postgres');
  }

  #server(name: 'redis' | 'postgres'): Part {
    const server = this.shop.ownServers?.[name];
    if (server === undefined) throw new Error(`the shop has no ${name} of its own`);
    return server;
  }

  /** Waits until all is done and every invariant holds; what became of the orders and payments, by how many. */
  async settled(orderIds: readonly string[]): Promise<Readonly<Record<string, number>>> {
    // Whoever has not paid by now never will: his order is closed in time.
    for (const orderId of orderIds) await this.customers.statusIs(orderId, 'PAID', 'CLOSED', 'CANCELLED');
    await this.customers.atRest(REST_MS);
    const counts: Record<string, number> = {};
    for (const orderId of orderIds) {
      const status = await this.customers.status(orderId);
      counts[status] = (counts[status] ?? 0) + 1;
    }
    const transactions = await this.shop.transactions();
    for (const { metadata, status } of transactions) {
      const phase = status?.phase ?? 'Pending';
      if (phase !== 'Succeeded' && phase !== 'Cancelled') throw new Error(`${metadata.name} is ${phase}`);
    }
    return { ...counts, transactions: transactions.length };
  }

  close(): Promise<void> {
    return this.shop.close();
  }
}

export async function openFullShop(prefix: string, env: Readonly<Record<string, string>> = {}): Promise<FullShop> {
  const shop = await openShop(prefix, {
    services: ['payment', 'dispatch', 'wms', 'member', 'notification'],
    ownServers: true,
    serviceEnv: {
      order: {
        ORDER_PAYMENT_TIMEOUT_SECONDS: String(PAYMENT_TIMEOUT_SECONDS),
        ORDER_PAYMENT_GRACE_SECONDS: String(PAYMENT_GRACE_SECONDS),
        ...env,
      },
    },
  });
  for (const [skuId, stocked] of Object.entries(STOCK)) await shop.stock(skuId, stocked);
  return new FullShop(shop, await shop.startController());
}
