/**
 * One trace for an order's transaction: from the customer's request through creation, calls, participants, publications and consumers,
 * also where a controller is killed on the way; and nothing waits for a collector.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { SERVICES } from '../../local/services.ts';
import { Customers } from '../world/customers.ts';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../world/otlp-receiver.ts';
import { openShop, type Shop } from '../world/shop.ts';

const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const SEEN_MS = 15_000;
const KEY = 'trace-Pa55word';

let receiver: OtlpReceiver;
let tracing: Readonly<Record<string, string>>;
let shop: Shop;
let customers: Customers;
let controller: RunningController;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  tracing = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: `api-key=${KEY}`,
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
  shop = await openShop('traces', {
    services: ['payment', 'dispatch', 'wms', 'member', 'notification'],
    serviceEnv: Object.fromEntries(SERVICES.map(({ name }) => [name, tracing])),
  });
  customers = new Customers(shop);
  controller = await shop.startController({ name: 'first', env: tracing });
  await shop.stock('tea', 1_000);
}, SETUP_MS);

afterAll(async () => {
  await shop.close();
  await receiver.stop();
}, TEST_MS);

/** A customer's own span, as its traceparent. */
function customersSpan(flags = '01') {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

async function placeOrder(traceparent: string): Promise<{ readonly orderId: string; readonly transaction: string }> {
  const headers = { 'idempotency-key': randomUUID(), traceparent };
  const { status, body } = await customers.call('order', 'POST', '/orders', { userId: 'u1', lines: [TEA] }, headers);
  expect(status).toBe(202);
  return { orderId: String(body.orderId), transaction: String(body.transaction) };
}

const spansOf = (traceId: string): readonly ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);

/**
 * Waits until the trace has spans of these names, each as `<service> <name>`, and every span's parent: each process sends its own when
 * its time has come, so a child may be there first.
 */
async function traceWith(
  traceId: string,
  names: readonly string[],
  rootSpanId?: string,
): Promise<readonly ReceivedSpan[]> {
  const missing = (): readonly string[] => {
    const spans = spansOf(traceId);
    const seen = new Set(spans.map(({ service, name }) => `${service} ${name}`));
    return [...names.filter((name) => !seen.has(name)), ...parentsOf(spans, rootSpanId).filter(isLost)];
  };
  await waitFor(async () => missing().length === 0, { what: 'the whole trace', deadlineMs: SEEN_MS }).catch(
    (error: unknown) => {
      const seen = spansOf(traceId).map(({ service, name }) => `${service} ${name}`);
      throw new Error(`missing: ${missing().join(', ')}; there are: ${seen.join(', ')}`, { cause: error });
    },
  );
  return spansOf(traceId);
}

/** Of each span, the name of its parent; fails where a parent is nobody's. */
function parentsOf(spans: readonly ReceivedSpan[], rootSpanId?: string): readonly string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  return spans.map(({ service, name, parentSpanId }) => {
    const parent = byId.get(parentSpanId);
    if (parent) return `${service} ${name} < ${parent.service} ${parent.name}`;
    return `${service} ${name} < ${parentSpanId === rootSpanId ? 'the customer' : parentSpanId === '' ? 'nobody' : 'lost'}`;
  });
}

const isLost = (parent: string): boolean => parent.endsWith(' < lost');

const CONTROLLER = 'ordertx-controller';
const CREATION = 'order create OrderTransaction';
const CALLS = ['try', 'confirm'].map((operation) => `POST /tcc/create-order/${operation}`);
const LOCKS = ['wms', 'dispatch'];
const PARENTS_OF_A_CREATION = [
  'order POST /orders < the customer',
  `${CREATION} < order POST /orders`,
  ...CALLS.flatMap((call) => [
    `${CONTROLLER} ${call} < ${CREATION}`,
    `order ${call} < ${CONTROLLER} ${call}`,
    `inventory ${call} < ${CONTROLLER} ${call}`,
  ]),
  `${CONTROLLER} decide create-order < ${CREATION}`,
  `${CONTROLLER} transaction create-order < ${CREATION}`,
  ...LOCKS.flatMap((service) => [
    `${CONTROLLER} send ordertx:messages:${service} < ${CREATION}`,
    `${service} process ordertx:messages:${service} < ${CONTROLLER} send ordertx:messages:${service}`,
  ]),
];
const NAMES_OF_A_CREATION = PARENTS_OF_A_CREATION.map((each) => each.split(' < ')[0] ?? '');

describe('the trace of an order', () => {
  test(
    'goes from the request to the consumers, and every span hangs where it was caused',
    async () => {
      const customer = customersSpan();
      const { orderId, transaction } = await placeOrder(customer.traceparent);
      await shop.final(transaction);
      const spans = await traceWith(customer.traceId, NAMES_OF_A_CREATION, customer.spanId);
      expect(parentsOf(spans, customer.spanId).toSorted()).toEqual(expect.arrayContaining(PARENTS_OF_A_CREATION));
      expect(parentsOf(spans, customer.spanId).filter(isLost)).toEqual([]);
      expect(spans.filter(({ isError }) => isError)).toEqual([]);
      const tried = spans.find(({ service, name }) => service === CONTROLLER && name === CALLS[0]);
      expect(tried).toMatchObject({
        kind: 3,
        attributes: {
          'http.request.method': 'POST',
          'http.response.status_code': 200,
          'server.address': '127.0.0.1',
          'ordertx.order': orderId,
          'ordertx.outcome': 'succeeded',
        },
      });
      const processed = spans.find(({ name }) => name === 'process ordertx:messages:wms');
      expect(processed).toMatchObject({
        kind: 5,
        attributes: {
          'messaging.system': 'redis',
          'messaging.operation.type': 'process',
          'ordertx.outcome': 'delivered',
        },
      });
    },
    TEST_MS,
  );

  test(
    'without one of the customer’s begins with the request; the payment’s goes from its capture to all that hear of it',
    async () => {
      const orderId = await customers.orderToPay([TEA]);
      const paymentId = await customers.pay(orderId);
      await shop.final(`pay-${paymentId}`);
      const captured = await waitFor(
        async () =>
          receiver.spans.find(
            ({ name, attributes }) =>
              name === 'POST /payments/:paymentId/pay' && String(attributes['url.path']).includes(paymentId),
          ),
        { what: "the capture's span", deadlineMs: SEEN_MS },
      );
      const names = [
        'payment send ordertx:messages:order',
        'order process ordertx:messages:order',
        CREATION,
        `${CONTROLLER} POST /tcc/pay-order/confirm`,
        'wms process ordertx:messages:wms',
        'member process ordertx:messages:member',
        'notification process ordertx:messages:notification',
      ];
      const parents = parentsOf(await traceWith(captured.traceId, names));
      expect(parents).toEqual(
        expect.arrayContaining([
          'payment POST /payments/:paymentId/pay < nobody',
          'payment send ordertx:messages:order < payment POST /payments/:paymentId/pay',
          'order process ordertx:messages:order < payment send ordertx:messages:order',
          `${CREATION} < order process ordertx:messages:order`,
          `${CONTROLLER} POST /tcc/pay-order/confirm < ${CREATION}`,
        ]),
      );
      expect(parents.filter(isLost)).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'is not recorded anywhere where the customer’s was not',
    async () => {
      const customer = customersSpan('00');
      const { transaction } = await placeOrder(customer.traceparent);
      const { metadata } = await shop.final(transaction);
      expect(metadata.annotations?.['ordertx.dev/traceparent']).toMatch(
        new RegExp(`^00-${customer.traceId}-[0-9a-f]{16}-00$`),
      );
      const recorded = customersSpan();
      const next = await placeOrder(recorded.traceparent);
      await shop.final(next.transaction);
      await traceWith(recorded.traceId, NAMES_OF_A_CREATION, recorded.spanId);
      expect(spansOf(customer.traceId)).toEqual([]);
    },
    TEST_MS,
  );
});

test(
  'a controller that is killed in mid-flight leaves one trace, which its successor goes on with; what failed is in it as an error',
  async () => {
    const customer = customersSpan();
    const { part: inventory } = shop.services.inventory;
    inventory.process.kill('SIGKILL');
    await inventory.process.exited;
    const { transaction } = await placeOrder(customer.traceparent);
    const called = (branch: string, failed: boolean): boolean =>
      spansOf(customer.traceId).some(
        ({ isError, attributes }) => isError === failed && attributes['ordertx.branch'] === branch,
      );
    // What order was asked has to be sent as well: it would be lost with the process, and what order has done would hang on nothing.
    await waitFor(async () => called('inventory', true) && called('order', false), {
      what: 'both calls in the trace, one of them failed',
      deadlineMs: SEEN_MS,
    });
    controller.part.process.kill('SIGKILL');
    await controller.part.process.exited;
    await inventory.restart();
    controller = await shop.startController({ name: 'second', env: tracing });
    expect((await shop.final(transaction)).status?.phase).toBe('Succeeded');
    const spans = await traceWith(customer.traceId, NAMES_OF_A_CREATION, customer.spanId);
    const calls = spans.filter(({ service, kind }) => service === CONTROLLER && kind === 3);
    expect(new Set(calls.map(({ instance }) => instance))).toEqual(new Set(['first', 'second']));
    const [creation] = spans.filter(({ name }) => name === 'create OrderTransaction');
    expect(new Set(calls.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([creation?.spanId]));
    const failed = calls.find(({ isError }) => isError);
    expect(failed).toMatchObject({
      instance: 'first',
      attributes: { 'error.type': 'unknown', 'ordertx.outcome': 'unknown' },
    });
    expect(parentsOf(spans, customer.spanId).filter(isLost)).toEqual([]);
  },
  TEST_MS,
);

test('the collector is sent the headers it wants, and no process prints them', async () => {
  expect(receiver.headers).toContainEqual(expect.objectContaining({ 'api-key': KEY }));
  const { logFile } = controller.part.process;
  expect(await readFile(logFile, 'utf8')).not.toContain(KEY);
});

test(
  'a collector that is away harms no order and holds up no end; it is told of once',
  async () => {
    controller.part.process.kill('SIGTERM');
    await controller.part.process.exited;
    const nowhere = { ...tracing, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
    const alone = await shop.startController({ name: 'alone', env: nowhere });
    const { transaction } = await placeOrder(customersSpan().traceparent);
    expect((await shop.final(transaction)).status?.phase).toBe('Succeeded');
    const printed = () => readFile(alone.part.process.logFile, 'utf8');
    await waitFor(async () => (await printed()).includes('traces cannot be sent'), {
      what: 'the word',
      deadlineMs: 30_000,
    });
    const next = await placeOrder(customersSpan().traceparent);
    await shop.final(next.transaction);
    const startedMs = performance.now();
    alone.part.process.kill('SIGTERM');
    await alone.part.process.exited;
    expect(performance.now() - startedMs).toBeLessThan(6_000);
    expect((await printed()).split('traces cannot be sent').length - 1).toBe(1);
    expect(await printed()).not.toContain(KEY);
  },
  TEST_MS,
);
