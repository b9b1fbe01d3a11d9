/**
 * Every service, running, with things in it that a request can be about.
 *
 * Each is brought there as it would be in the shop: by HTTP, by participant calls and by messages.
 */
import { freePort } from '../../local/ports.ts';
import { runNotification, smsPaidOf } from '../../services/notification/testing/running-notification.ts';
import type { OrderFixture } from '../../services/order/testing/order-fixture.ts';
import { done, TOTAL_CENTS } from '../../services/order/testing/order-fixture.ts';
import { startPayment } from '../../services/payment/src/service.ts';
import { STORED_REFUNDS } from '../../services/payment/testing/running-payment.ts';
import { startForTest } from '../services/started-service.ts';
import type { Operation } from '../../services/protocol/src/index.ts';
import { callBranch } from '../services/call-branch.ts';
import { TEAPOTS } from '../services/order-client.ts';
import { payloadsOf, runConsumer, type ConsumerName, type RunningConsumer } from '../services/running-consumers.ts';
import { runInventory, TEST_NAMESPACE, type RunningTestService } from '../services/running.ts';
import type { FuzzTarget } from './fuzz-run.ts';
import type { KnownCall } from './requests.ts';

export interface PreparedService extends FuzzTarget {
  close(): Promise<void>;
}

type Prepared = Omit<PreparedService, 'url' | 'close'>;

/** What is half prepared is closed, or the run would wait for it for ever. */
async function prepared<Service extends RunningTestService>(
  service: Service,
  prepare: (service: Service) => Promise<Prepared>,
): Promise<PreparedService> {
  try {
    return { ...(await prepare(service)), url: service.url, close: () => service.close() };
  } catch (error) {
    await service.close();
    throw error;
  }
}

const OPERATIONS = ['try', 'confirm', 'cancel'] as const;

export async function preparedOrder(fixture: OrderFixture): Promise<PreparedService> {
  const orderIds: string[] = [];
  for (const status of ['INIT', 'PENDING_PAYMENT', 'PAYING', 'PAID', 'SHIPPED', 'CANCELLED', 'CLOSED'] as const) {
    orderIds.push(await fixture.orderIn(status));
  }
  const calls: Record<string, readonly KnownCall[]> = {};
  for (const operation of OPERATIONS) {
    const orderId = fixture.newId();
    const creation = fixture.creation(orderId);
    const lines = { lines: TEAPOTS.lines };
    const created = { orderId, ...TEAPOTS, totalCents: TOTAL_CENTS };
    const paidId = await fixture.placed();
    const payment = fixture.payment(paidId);
    const paid = { ...created, orderId: paidId, paymentId: payment.paymentId, amountCents: TOTAL_CENTS };
    const closedId = await fixture.placed();
    const closing = await fixture.beginClose(closedId);
    if (operation !== 'try') for (const steps of [creation, payment, closing]) await done(steps, 'try');
    calls[`/tcc/create-order/${operation}`] = [{ transaction: creation.transaction, payload: created }];
    calls[`/tcc/pay-order/${operation}`] = [{ transaction: payment.transaction, payload: paid }];
    calls[`/tcc/close-order/${operation}`] = [
      { transaction: closing.transaction, payload: { orderId: closedId, ...lines, cause: 'unpaid' } },
    ];
  }
  const { namespace, service } = fixture;
  return {
    ...{ name: 'order', url: service.url, close: async () => undefined },
    known: { namespace, calls, ids: { orderId: orderIds, userId: ['u1'], skuId: ['teapot'] } },
  };
}

export async function preparedInventory(): Promise<PreparedService> {
  return prepared(await runInventory(), stockInventory);
}

async function stockInventory({ url }: RunningTestService): Promise<Prepared> {
  // The calls have SKUs of their own: their stock is not what is fuzzed.
  for (const skuId of ['kettle', 'jug', 'teapot']) await put(`${url}/stock/${skuId}`, { stocked: 1_000 });
  const lines = [
    { skuId: 'kettle', quantity: 2, unitPriceCents: 100 },
    { skuId: 'jug', quantity: 1, unitPriceCents: 50 },
  ];
  const calls: Record<string, readonly KnownCall[]> = {};
  const call = async (flow: string, { transaction, payload }: KnownCall, operation: Operation): Promise<void> => {
    const answer = await callBranch({
      ...{ url, path: `/tcc/${flow}`, branch: 'inventory', transaction, operation, payload },
    });
    if (answer.status !== 200) throw new Error(`${operation} of ${transaction} was answered ${String(answer.status)}`);
  };
  for (const operation of OPERATIONS) {
    const created = (orderId: string) => ({
      transaction: `${TEST_NAMESPACE}/create-${orderId}`,
      payload: { orderId, userId: 'u1', lines, totalCents: 250 },
    });
    const creation = created(`create-${operation}`);
    const ended = { 'pay-order': created(`pay-${operation}`), 'close-order': created(`close-${operation}`) };
    const paid = { ...ended['pay-order'].payload, paymentId: `p-${operation}`, amountCents: 250 };
    const known = {
      'create-order': creation,
      'pay-order': { transaction: `${TEST_NAMESPACE}/pay-p-${operation}`, payload: paid },
      'close-order': {
        transaction: `${TEST_NAMESPACE}/close-close-${operation}-1`,
        payload: { orderId: `close-${operation}`, lines, cause: 'unpaid' },
      },
    };
    for (const held of Object.values(ended)) {
      await call('create-order', held, 'try');
      await call('create-order', held, 'confirm');
    }
    for (const [flow, each] of Object.entries(known)) {
      if (operation !== 'try') await call(flow, each, 'try');
      calls[`/tcc/${flow}/${operation}`] = [each];
    }
  }
  return {
    name: 'inventory',
    known: { namespace: TEST_NAMESPACE, calls, ids: { skuId: ['teapot'], userId: ['u1'] } },
  };
}

/** @param providerSecret without one, whoever calls is taken for the payment provider */
export async function preparedPayment(fixture: OrderFixture, providerSecret?: string): Promise<PreparedService> {
  const port = await freePort();
  const secrets = providerSecret === undefined ? undefined : [providerSecret];
  const service = await startForTest('payment', (base) =>
    startPayment({
      ...base,
      ...STORED_REFUNDS,
      port,
      orderUrl: fixture.service.url,
      publicUrl: undefined,
      providerSecret: secrets,
      providerAuth: 'off',
    }),
  );
  return prepared(service, () => askPayments(service, fixture, providerSecret));
}

async function askPayments(
  { url }: RunningTestService,
  fixture: OrderFixture,
  providerSecret: string | undefined,
): Promise<Prepared> {
  const orderIds = [await fixture.placed(), await fixture.placed(), await fixture.orderIn('PAID')];
  const paymentIds: string[] = [];
  for (const orderId of orderIds.slice(0, 2)) {
    const answer = await fetch(`${url}/payments`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ orderId }) },
    });
    paymentIds.push(((await answer.json()) as { readonly paymentId: string }).paymentId);
  }
  return {
    name: providerSecret === undefined ? 'payment' : 'payment, signed',
    ...(providerSecret !== undefined && { providerSecret }),
    known: { namespace: fixture.namespace, calls: {}, ids: { orderId: orderIds, paymentId: paymentIds } },
  };
}

const MESSAGES = {
  dispatch: ['dispatch.lock', 'dispatch.schedule', 'dispatch.unlock'],
  wms: ['stock.lock', 'stock.outbound', 'stock.release'],
  member: [undefined, 'points.grant', undefined],
} as const satisfies Record<ConsumerName, readonly (string | undefined)[]>;

export async function preparedConsumer(name: ConsumerName): Promise<PreparedService> {
  return prepared(await runConsumer(name), (consumer) => tellConsumer(name, consumer));
}

async function tellConsumer(name: ConsumerName, { sender }: RunningConsumer): Promise<Prepared> {
  const orderIds = ['o1', 'o2', 'o3'];
  for (const [index, type] of MESSAGES[name].entries()) {
    if (type === undefined) continue;
    const orderId = orderIds[index] ?? '';
    const { created, paid, closed } = payloadsOf(orderId);
    const receipt = await sender.send({ type, data: [created, paid, closed][index] });
    if (receipt.result !== 'delivered') throw new Error(`${type} was ${receipt.result}`);
  }
  return {
    name,
    known: { namespace: TEST_NAMESPACE, calls: {}, ids: { orderId: orderIds, userId: ['u1'] } },
  };
}

export async function preparedNotification(): Promise<PreparedService> {
  return prepared(await runNotification(), async ({ sender }) => {
    await sender.publish(smsPaidOf('o1', 1));
    return {
      name: 'notification',
      known: { namespace: TEST_NAMESPACE, calls: {}, ids: { orderId: ['o1'] } },
    };
  });
}

async function put(url: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'PUT', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`PUT ${url} was answered ${String(answer.status)}`);
}
