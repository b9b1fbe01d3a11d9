/**
 * Transactions that somebody copies, and a message that nobody's transaction has sent, with everything real: a copy of an order's
 * transaction under another name ends in view, changes nothing, and its compensation undoes nothing of the first.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { MessageSender } from '../services/message-sender.ts';
import { Customers } from '../world/customers.ts';
import { openShop, type Shop } from '../world/shop.ts';

const TEA = { skuId: 'tea', quantity: 3, unitPriceCents: 500 };
const TEST_MS = 120_000;
const REFUSED = 'this transaction is a copy';

let shop: Shop;
let customers: Customers;
beforeAll(async () => {
  shop = await openShop('copies', { services: ['payment', 'dispatch', 'wms', 'member', 'notification'] });
  customers = new Customers(shop);
  await Promise.all([shop.startController(), shop.startController()]);
  await shop.stock('tea', 1_000);
}, 120_000);
afterAll(() => shop.close(), 60_000);

/** As `kubectl create` of an edited copy: everything but status and the name. */
async function copied(name: string, copy: string, change: object = {}): Promise<void> {
  const { spec } = await shop.transactionWhen(name, 'to be there', () => true);
  const { flow, orderId, payload } = spec;
  const answer = await shop.admin.request('POST', shop.pathOf('ordertransactions'), {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name: copy } },
    spec: { flow, orderId, payload, ...change },
  });
  expect(answer.status).toBe(201);
}

async function endsWithoutEffect(copy: string): Promise<void> {
  const { status } = await shop.final(copy);
  expect(status).toMatchObject({ phase: 'Cancelled', decisionReason: 'Refused', waitingFor: '' });
  expect(status?.message).toContain(REFUSED);
}

async function isPaidFor(orderId: string, paymentId: string): Promise<void> {
  await customers.atRest();
  expect(await customers.status(orderId)).toBe('PAID');
  expect((await customers.call('payment', 'GET', `/payments/${paymentId}`)).body.status).toBe('SUCCEEDED');
  expect((await customers.call('dispatch', 'GET', `/dispatches/${orderId}`)).body.state).toBe('SCHEDULED');
}

test(
  'a payment whose transaction is created again under another name stays applied, and is not given back',
  async () => {
    const orderId = await customers.orderToPay([TEA]);
    const paymentId = await customers.pay(orderId);
    await shop.final(`pay-${paymentId}`);
    await copied(`pay-${paymentId}`, `pay-${paymentId}-again`);
    await endsWithoutEffect(`pay-${paymentId}-again`);
    await isPaidFor(orderId, paymentId);
  },
  TEST_MS,
);

test(
  'so it does when somebody who can write to the broker sends the very message by which its transaction would give it back',
  async () => {
    const orderId = await customers.orderToPay([TEA]);
    const paymentId = await customers.pay(orderId);
    const { metadata, spec } = await shop.final(`pay-${paymentId}`);
    const redis = new Redis(shop.redisUrl);
    try {
      const [receipt] = await new MessageSender(redis, 'payment').publish({
        ...{ id: `${metadata.namespace}/${metadata.name}/refund`, type: 'payment.refund', data: spec.payload },
        ...{ source: `ordertx/${metadata.namespace}/pay-order`, reason: 'Refused' },
      });
      expect(receipt).toMatchObject({ result: 'refused', reason: expect.stringContaining('paid by this payment') });
    } finally {
      redis.disconnect();
    }
    await isPaidFor(orderId, paymentId);
  },
  TEST_MS,
);

test(
  'so it does when copies come while inventory is away and the payment hangs, refused, cancelled on request, or by deadline',
  async () => {
    const orderId = await customers.orderToPay([TEA]);
    const inventory = shop.services.inventory.part;
    inventory.process.kill('SIGKILL');
    await inventory.process.exited;
    const paymentId = (await customers.paymentLink(orderId)) ?? '';
    await customers.capture(paymentId);
    await customers.statusIs(orderId, 'PAYING');
    const name = `pay-${paymentId}`;
    await copied(name, `${name}-refused`);
    await copied(name, `${name}-requested`, { cancelRequested: true });
    const hasty = { ...(await shop.flow('pay-order'))?.spec, timeoutSeconds: 1 };
    const made = await shop.admin.request('POST', shop.pathOf('transactionflows'), {
      ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow', metadata: { name: 'hasty' }, spec: hasty },
    });
    expect(made.status).toBe(201);
    await copied(name, `${name}-hasty`, { flow: 'hasty' });
    for (const suffix of ['refused', 'requested', 'hasty'])
      await shop.transactionWhen(`${name}-${suffix}`, 'to be decided', ({ status }) => status?.decision === 'Cancel');
    expect(await customers.status(orderId)).toBe('PAYING');
    await inventory.restart();
    await customers.statusIs(orderId, 'PAID');
    await endsWithoutEffect(`${name}-refused`);
    for (const suffix of ['requested', 'hasty'])
      expect((await shop.final(`${name}-${suffix}`)).status?.phase).toBe('Cancelled');
    await isPaidFor(orderId, paymentId);
  },
  TEST_MS,
);

test(
  'a second creation of an order, and a close that nobody has begun, end without an effect, however they are named',
  async () => {
    const orderId = await customers.orderToPay([TEA]);
    const before = await shop.stockOf('tea');
    await copied(`create-${orderId}`, `create-${orderId}-again`);
    await endsWithoutEffect(`create-${orderId}-again`);
    const close = { flow: 'close-order', payload: { orderId, lines: [TEA], cause: 'unpaid' } };
    await copied(`create-${orderId}`, `cleared-by-hand-${orderId}`, close);
    await endsWithoutEffect(`cleared-by-hand-${orderId}`);
    await copied(`create-${orderId}`, `close-${orderId}-1`, close);
    const { status } = await shop.final(`close-${orderId}-1`);
    expect(status).toMatchObject({ phase: 'Cancelled', decisionReason: 'Refused' });
    expect(status?.message).toContain('the order service has not begun this close');
    expect(await customers.status(orderId)).toBe('PENDING_PAYMENT');
    expect(await shop.stockOf('tea')).toEqual(before);
    await customers.insist('the withdrawal to be answered', () => customers.withdraw(orderId));
    await customers.statusIs(orderId, 'CLOSED');
    expect((await shop.final(`close-${orderId}-2`)).status?.phase).toBe('Succeeded');
    await customers.atRest();
  },
  TEST_MS,
);
