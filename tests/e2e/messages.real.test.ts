/**
 * Messages as an operator sees them: one that is refused stays in view until its consumer is mended, one whose consumer is away is
 * said to be waited for, and a notice that nobody can send is given up without holding up anything.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { z } from 'zod';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { createLog, createPool, migrate, type OnceHandler } from '../../services/kit/src/index.ts';
import { Consumer } from '../../services/kit/src/messages/consumer.ts';
import { Customers } from '../world/customers.ts';
import { openShop, type Shop, SLOW_RETRY } from '../world/shop.ts';
import { freshDatabase } from '../world/world.ts';

const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 1_250 };
const DEADLINE_MS = 60_000;
const TEST_MS = 180_000;
const SMS_ATTEMPTS_MAX = 5;

/** The auditor needs the kit's tables; a folder of the service's own has to be named. */
const KIT_TEST_MIGRATIONS = new URL('../../services/kit/testing/migrations/', import.meta.url);

let shop: Shop;
let customers: Customers;
let controller: RunningController;
/** The text-message provider: every call it got, by the message's id, and what it answers. */
let provider: {
  readonly url: string;
  readonly calls: Map<string, number>;
  status: number | 'hangs';
  readonly server: Server;
};

beforeAll(async () => {
  provider = await openProvider();
  shop = await openShop('messages', {
    services: ['payment', 'dispatch', 'wms', 'member', 'notification'],
    serviceEnv: {
      notification: {
        NOTIFICATION_PROVIDER: 'webhook',
        NOTIFICATION_WEBHOOK_URL: provider.url,
        NOTIFICATION_TIMEOUT_SECONDS: '2',
      },
    },
  });
  customers = new Customers(shop);
  controller = await shop.startController({ name: 'carrier' });
  await shop.stock('tea', 1_000);
}, 120_000);
afterAll(async () => {
  await shop.close();
  provider.server.close();
}, 60_000);

async function openProvider(): Promise<typeof provider> {
  const calls = new Map<string, number>();
  const server = createServer((request, response) => {
    const key = String(request.headers['idempotency-key']);
    calls.set(key, (calls.get(key) ?? 0) + 1);
    request.resume();
    if (provider.status === 'hangs') return;
    response.statusCode = provider.status;
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sms`, calls, status: 200, server };
}

async function changeFlow(name: string, spec: object): Promise<void> {
  const { status } = await shop.admin.request('PATCH', shop.pathOf('transactionflows', name), { spec });
  expect(status).toBe(200);
}

describe('a message that its consumer refuses', () => {
  const REPORT = { name: 'audit', stream: 'audit', type: 'order.audited' };
  const AUDIT = { ...REPORT, when: 'Confirmed', delivery: 'Reliable' } as const;
  const audited: string[] = [];
  const auditor: OnceHandler<unknown> = {
    kind: 'once',
    type: 'order.audited',
    data: z.looseObject({ orderId: z.string() }),
    handle: async (_client, { id }) => {
      audited.push(id);
      return { kind: 'delivered' };
    },
  };

  /** A consumer in the test's own process; one without handlers knows no message. */
  async function openAuditor(handlers: readonly OnceHandler<unknown>[]) {
    const log = createLog({ name: 'audit', level: 'silent' });
    const database = await freshDatabase('audit');
    await migrate({ connectionString: database.url, folder: KIT_TEST_MIGRATIONS, log });
    const pool = createPool({ connectionString: database.url, applicationName: 'audit', log });
    const streaming = { redisUrl: shop.redisUrl, service: 'audit', replica: `audit-${handlers.length}`, pool, log };
    const consumer = new Consumer({ ...streaming, handlers, namespaces: [shop.namespace], metrics: new Registry() });
    return async () => {
      await consumer.close();
      await pool.end();
      await database.drop();
    };
  }

  /** Nobody but the auditor hears of an order of a flow of our own: once it is closed it is as if it had never been. */
  async function closedAgain(orderId: string): Promise<void> {
    await customers.insist('the withdrawal to be answered', () => customers.withdraw(orderId));
    await customers.statusIs(orderId, 'CLOSED');
  }

  test(
    'keeps its transaction Delivering and Stuck, and is delivered on retry once the consumer is mended',
    async () => {
      await shop.putFlow('audited', { retry: SLOW_RETRY, messages: [AUDIT] });
      const closeDeaf = await openAuditor([]);
      const { name, orderId } = await shop.begin('audited', [TEA]);
      const isStuck = (condition: { readonly type: string; readonly status: string }) =>
        condition.type === 'Stuck' && condition.status === 'True';
      const { status } = await shop.transactionWhen(
        name,
        'to be Stuck',
        (each) => each.status?.conditions?.some(isStuck) === true,
      );
      expect(status).toMatchObject({ phase: 'Delivering', waitingFor: 'audit' });
      expect(status?.message).toContain('the message audit is not delivered: audit: type: is not a message');
      expect(status?.conditions?.find(isStuck)).toMatchObject({ reason: 'MessageRefused' });
      const failing = ['get', 'otx', '--field-selector', 'status.waitingFor=audit', '-o', 'name'];
      expect(await shop.kubectl(...failing)).toContain(name);
      await closeDeaf();
      const close = await openAuditor([auditor]);
      await shop.kubectl('annotate', 'otx', name, `ordertx.dev/retry-requested-at=${new Date().toISOString()}`);
      const final = await shop.final(name, DEADLINE_MS);
      expect(final.status).toMatchObject({ phase: 'Succeeded', waitingFor: '', message: '' });
      expect(audited).toEqual([`${shop.namespace}/${name}/audit`]);
      await close();
      await closedAgain(orderId);
    },
    TEST_MS,
  );

  test(
    'can be settled by hand',
    async () => {
      const { name, orderId } = await shop.begin('audited', [TEA]);
      await shop.transactionWhen(name, 'to be decided', (each) => each.status?.decision === 'Confirm');
      const resolutions = [{ target: 'audit', as: 'Delivered', reason: 'told by phone' }];
      expect(await shop.patch(name, { spec: { resolutions } })).toBe(200);
      const { status } = await shop.final(name, DEADLINE_MS);
      expect(status?.messages).toContainEqual(expect.objectContaining({ name: 'audit', state: 'Delivered' }));
      await closedAgain(orderId);
    },
    TEST_MS,
  );
});

describe('a consumer that is away', () => {
  test(
    'for longer than every back-off is waited for, in words, and gets each message once when it is back',
    async () => {
      for (const flow of ['create-order', 'pay-order'])
        await changeFlow(flow, { retry: { initialDelaySeconds: 0.1, maxDelaySeconds: 1 }, stuckAfterSeconds: 3 });
      const orderIds = await Promise.all([1, 2, 3].map(() => customers.orderToPay([TEA], 'bea')));
      await customers.atRest();
      const wms = shop.services.wms!.part;
      wms.process.kill('SIGKILL');
      await wms.process.exited;
      const paymentIds = await Promise.all(orderIds.map((orderId) => customers.pay(orderId)));
      // Each: until it says so its message may not be published yet. And a consumer that is there may be late as well.
      for (const paymentId of paymentIds) {
        const { status } = await shop.transactionWhen(
          `pay-${paymentId}`,
          'to say what it waits for',
          (each) => each.status?.waitingFor === 'outbound-wms' && each.status.message?.includes('receipt') === true,
        );
        expect(status?.message).toMatch(
          /^the message outbound-wms is not delivered: its consumer has sent no receipt.* Next: it is published again, until its receipt comes$/,
        );
      }
      // Published again and again meanwhile, and yet one entry each: a Redis does not fill because a consumer is away.
      const redis = new Redis(shop.redisUrl);
      expect(await redis.xlen('ordertx:messages:wms')).toBe(orderIds.length);
      redis.disconnect();
      await wms.restart();
      await customers.atRest();
      for (const orderId of orderIds) {
        expect((await customers.call('wms', 'GET', `/shipments/${orderId}`)).body).toMatchObject({ state: 'OUTBOUND' });
      }
      expect((await customers.call('member', 'GET', '/members/bea')).body).toMatchObject({ points: 36 });
    },
    TEST_MS,
  );
});

describe('a notice that nobody can send', () => {
  test(
    'holds up nothing, is tried at most five times whatever is killed meanwhile, and is then given up',
    async () => {
      provider.status = 503;
      provider.calls.clear();
      const orderIds = await Promise.all([1, 2, 3, 4, 5, 6].map(() => customers.orderToPay([TEA])));
      const paymentIds = await Promise.all(orderIds.map((orderId) => customers.pay(orderId)));
      const names = paymentIds.map((paymentId) => `pay-${paymentId}`);
      for (const name of names) expect((await shop.final(name)).status).toMatchObject({ phase: 'Succeeded' });
      for (const part of [controller.part, shop.services.notification!.part, controller.part, controller.part]) {
        const before = total(provider.calls);
        await waitFor(async () => total(provider.calls) > before || (await allGivenUp(names)), {
          what: 'a further attempt',
          deadlineMs: DEADLINE_MS,
        });
        part.process.kill('SIGKILL');
        await part.process.exited;
        await part.restart();
      }
      await waitFor(() => allGivenUp(names), { what: 'all notices to be given up', deadlineMs: 2 * DEADLINE_MS });
      expect(provider.calls.size).toBe(names.length);
      for (const [id, calls] of provider.calls)
        expect([id, calls <= SMS_ATTEMPTS_MAX, calls > 1]).toEqual([id, true, true]);
      for (const name of names) {
        const { status } = (await shop.transaction(name))!;
        expect(status).toMatchObject({ phase: 'Succeeded', expires: expect.any(String) });
      }
      await customers.atRest();
    },
    TEST_MS,
  );

  test(
    'because its provider hangs is asked of it exactly as often as the flow says, and then given up',
    async () => {
      provider.status = 'hangs';
      provider.calls.clear();
      const orderIds = await Promise.all([1, 2, 3].map(() => customers.orderToPay([TEA])));
      const paymentIds = await Promise.all(orderIds.map((orderId) => customers.pay(orderId)));
      const names = paymentIds.map((paymentId) => `pay-${paymentId}`);
      await waitFor(() => allGivenUp(names), { what: 'all notices to be given up', deadlineMs: 2 * DEADLINE_MS });
      expect([...provider.calls.values()]).toEqual(names.map(() => SMS_ATTEMPTS_MAX));
    },
    TEST_MS,
  );

  test(
    'is sent by a later attempt when the provider is back',
    async () => {
      provider.status = 500;
      provider.calls.clear();
      const orderId = await customers.orderToPay([TEA]);
      const paymentId = await customers.pay(orderId);
      await waitFor(async () => total(provider.calls) >= 1, { what: 'the first attempt', deadlineMs: DEADLINE_MS });
      provider.status = 202;
      const state = async () =>
        (await shop.transaction(`pay-${paymentId}`))?.status?.messages?.find(({ name }) => name === 'payment-sms')
          ?.state;
      await waitFor(async () => (await state()) === 'Delivered', { what: 'the notice', deadlineMs: DEADLINE_MS });
      expect((await customers.call('notification', 'GET', `/notifications?orderId=${orderId}`)).body).toMatchObject([
        { status: 'SENT', attempts: total(provider.calls) },
      ]);
    },
    TEST_MS,
  );
});

function total(calls: ReadonlyMap<string, number>): number {
  return [...calls.values()].reduce((sum, count) => sum + count, 0);
}

async function allGivenUp(names: readonly string[]): Promise<boolean> {
  const states = await Promise.all(
    names.map(
      async (name) =>
        (await shop.transaction(name))?.status?.messages?.find((each) => each.name === 'payment-sms')?.state,
    ),
  );
  return states.every((state) => state === 'GaveUp');
}
