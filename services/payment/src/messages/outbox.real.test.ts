/**
 * `payment.succeeded` on its way to the order service, on a real Redis and a real database. The test plays the order service: it
 * reads the stream, and answers when it wants to.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '../../../../local/deadline.ts';
import { inheritedEnvironment } from '../../../../local/process-group.ts';
import { sumOf } from '../../../../tests/world/prometheus-text.ts';
import { answer, publications, published } from '../../testing/order-stream.ts';
import { runPayment, type RunningPayment } from '../../testing/running-payment.ts';

const DEADLINE_MS = 20_000;
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let payment: RunningPayment;

beforeAll(async () => {
  payment = await runPayment();
});
afterAll(() => payment.close());

async function captured(orderId: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const paymentId = await payment.asked(orderId, 900);
  await payment.post(`/payments/${paymentId}/pay`, undefined, headers);
  return paymentId;
}

interface Waiting {
  readonly attempts: number;
  readonly refused_reason: string | null;
}
async function waiting(paymentId: string): Promise<Waiting | undefined> {
  const { rows } = await payment.database.query<Waiting>(
    'select attempts, refused_reason from ordertx_outbox where id = $1',
    [`payment/payment.succeeded/${paymentId}`],
  );
  return rows[0];
}
const gone = (paymentId: string): Promise<boolean> =>
  waitFor(async () => (await waiting(paymentId)) === undefined, {
    ...{ what: 'the end of the outbox row', deadlineMs: DEADLINE_MS },
  });

async function refusedMetric(): Promise<number> {
  return sumOf(await (await fetch(`${payment.url}/metrics`)).text(), 'ordertx_outbox_refused');
}

test('it names the payment, the order, the amount captured and the trace, and goes to the order service', async () => {
  const paymentId = await captured('o1', { traceparent: TRACEPARENT });
  expect(await published(payment.redis, paymentId)).toMatchObject({
    id: `payment/payment.succeeded/${paymentId}`,
    source: 'ordertx/payment',
    type: 'payment.succeeded',
    subject: 'o1',
    traceparent: TRACEPARENT,
    data: { paymentId, orderId: 'o1', amountCents: 900 },
  });
});

test('a traceparent of no known form is not passed on', async () => {
  const paymentId = await captured('o1', { traceparent: 'x'.repeat(500) });
  expect((await published(payment.redis, paymentId)).traceparent).toBeUndefined();
});

test('it is published again and again until the receipt comes, and then no more', async () => {
  const paymentId = await captured('o2');
  const first = await published(payment.redis, paymentId);
  // Its consumer takes it off the stream without a receipt: not yet.
  await payment.redis.del('ordertx:messages:order');
  const second = await published(payment.redis, paymentId);
  expect(second.attempt).toBeGreaterThan(first.attempt ?? 0);
  expect(await waiting(paymentId)).toMatchObject({ refused_reason: null });
  await answer(payment.redis, second, { result: 'delivered' });
  await gone(paymentId);
  expect(new Set((await publications(payment.redis, paymentId)).map(({ id }) => id)).size).toBe(1);
});

test('a Redis that loses everything changes nothing', async () => {
  const paymentId = await captured('o3');
  await published(payment.redis, paymentId);
  await payment.redis.flushdb();
  const again = await published(payment.redis, paymentId);
  await payment.redis.flushdb();
  await answer(payment.redis, again, { result: 'delivered' });
  await gone(paymentId);
});

test('a refused one is parked with its reason and is seen in the metrics, until `outbox retry` has it published again', async () => {
  const paymentId = await captured('o4');
  await answer(payment.redis, await published(payment.redis, paymentId), {
    result: 'refused',
    reason: 'there is no order o4',
  });
  await waitFor(async () => (await waiting(paymentId))?.refused_reason != null, {
    ...{ what: 'the parked message', deadlineMs: DEADLINE_MS },
  });
  expect(await waiting(paymentId)).toMatchObject({ refused_reason: 'order: there is no order o4' });
  expect(await refusedMetric()).toBe(1);
  expect(await outbox('list')).toContain('refused by order: there is no order o4');

  const before = (await publications(payment.redis, paymentId)).length;
  expect(await outbox('retry')).toContain(`payment/payment.succeeded/${paymentId} is published again`);
  await answer(payment.redis, await published(payment.redis, paymentId, before + 1), { result: 'delivered' });
  await gone(paymentId);
  expect(await refusedMetric()).toBe(0);
});

/** What the process prints that an operator starts. */
async function outbox(verb: 'list' | 'retry'): Promise<string> {
  const main = join(import.meta.dirname, '../main.ts');
  const env = { ...inheritedEnvironment(), DATABASE_URL: payment.databaseUrl };
  const { stdout } = await promisify(execFile)(process.execPath, [main, 'outbox', verb], { env });
  return stdout;
}
