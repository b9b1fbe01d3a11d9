/**
 * Customers, as a pod: some at once order, pay, have it shipped and receive it, again and again, until SIGUSR1; what they have begun they
 * carry to its end. They insist: whatever is away meanwhile is asked again.
 *
 * SERVICES: {order, payment, wms: {url}}, as in a stack.json. SKU: what they buy. The last line says how it went (Summary).
 */
import { Customers } from '../../world/customers.ts';
import type { Shop } from '../../world/shop.ts';
import { waitFor } from '../../../local/deadline.ts';

export interface Summary {
  readonly placed: number;
  readonly received: number;
  readonly cancelled: number;
  /** From the order to its receipt. */
  readonly slowestMs: number;
  /** Of those that did not end as they should: what the customer saw. */
  readonly complaints: readonly string[];
}

const LANES = 3;
/** Between two orders of one customer: a machine of two cores has other things to do. */
const PAUSE_MS = 300;
const TELL_EVERY_MS = 1_000;

const services = JSON.parse(process.env.SERVICES ?? '{}') as Shop['services'];
const customers = new Customers({ services, violations: () => Promise.resolve([]) });
const lines = [{ skuId: process.env.SKU ?? 'tea', quantity: 1, unitPriceCents: 450 }];

let isOpen = true;
process.on('SIGUSR1', () => (isOpen = false));

let [placed, received, cancelled, slowestMs] = [0, 0, 0, 0];
const complaints: string[] = [];
const summary = (): Summary => ({ placed, received, cancelled, slowestMs, complaints });

async function buy(userId: string): Promise<void> {
  const startedAt = Date.now();
  const orderId = await customers.order(lines, userId);
  placed += 1;
  // Who waits for longer than the flow lets a try take is cancelled, and hears so.
  if ((await customers.statusIs(orderId, 'PENDING_PAYMENT', 'CANCELLED')) === 'CANCELLED') {
    cancelled += 1;
    return;
  }
  await customers.pay(orderId);
  await customers.insist(
    `order ${orderId} to be shipped`,
    () => customers.ship(orderId),
    ({ status }) => status < 300,
  );
  await customers.statusIs(orderId, 'SHIPPED');
  await customers.insist(
    `order ${orderId} to be received`,
    () => customers.receive(orderId),
    ({ status }) => status < 300,
  );
  received += 1;
  slowestMs = Math.max(slowestMs, Date.now() - startedAt);
}

async function lane(userId: string): Promise<void> {
  while (isOpen) {
    await buy(userId).catch((error: unknown) => complaints.push((error as Error).message));
    const nextMs = Date.now() + PAUSE_MS;
    await waitFor(() => Promise.resolve(Date.now() > nextMs), { what: 'a while', deadlineMs: 10 * PAUSE_MS });
  }
}

const telling = setInterval(() => console.log(JSON.stringify(summary())), TELL_EVERY_MS);
await Promise.all(Array.from({ length: LANES }, (_, index) => lane(`customer-${index + 1}`)));
clearInterval(telling);
console.log(JSON.stringify(summary()));
