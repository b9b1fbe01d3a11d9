/** `refund`: captured money that will never be applied goes back, and no other; on a real database. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { waitFor } from '../../../../local/deadline.ts';
import { sendJson } from '../../testing/loopback-orders.ts';
import { runPayment, type RunningPayment } from '../../testing/running-payment.ts';
import { orderService, type OrderService } from '../orders/order-service.ts';
import { refundCommand } from './refund-command.ts';

let payment: RunningPayment;
let orders: OrderService;

beforeAll(async () => {
  payment = await runPayment();
  orders = orderService(payment.orders.url);
}, 30_000);
beforeEach(() => payment.orders.misbehave(undefined));
afterAll(async () => {
  await orders.close();
  await payment.close();
});

async function captured(): Promise<string> {
  const paymentId = await payment.asked('o1', 900);
  await payment.post(`/payments/${paymentId}/pay`);
  return paymentId;
}

/** What the order service says of every attempt from now on. */
function attempt(paymentId: string, changes: Readonly<Record<string, unknown>>): void {
  const transaction = `shop/pay-${paymentId}`;
  payment.orders.misbehave((response) =>
    sendJson(response, 200, {
      ...{ orderId: 'o1', paymentId, transaction, applied: false, state: 'Cancelled', ...changes },
    }),
  );
}

async function command(...args: readonly string[]): Promise<{ code: number; output: string }> {
  const lines: string[] = [];
  const code = await refundCommand({
    ...{ args, pool: payment.database, orders, print: (line) => lines.push(line) },
  });
  return { code, output: lines.join('\n') };
}

const refund = (paymentId: string, ...more: readonly string[]) =>
  command('--payment', paymentId, '--reason', 'TICKET-1', ...more);

async function refunds(paymentId: string): Promise<readonly unknown[]> {
  const { rows } = await payment.database.query<object>(
    'select amount_cents::integer as cents, reason from refunds where payment_id = $1',
    [paymentId],
  );
  return rows;
}

const statusOf = async (paymentId: string) => (await payment.get(`/payments/${paymentId}`)).body.status;

test('gives back once what was captured, however often it is run, and keeps why', async () => {
  const paymentId = await captured();
  attempt(paymentId, {});
  const results = await Promise.all(Array.from({ length: 10 }, () => refund(paymentId)));
  expect(new Set(results.map(({ code }) => code))).toEqual(new Set([0]));
  expect(await refunds(paymentId)).toEqual([{ cents: 900, reason: 'TICKET-1' }]);
  await waitFor(async () => (await statusOf(paymentId)) === 'REFUNDED', {
    ...{ what: 'the provider to have taken the refund', deadlineMs: 20_000, everyMs: 50 },
  });
  expect(await refund(paymentId)).toMatchObject({ code: 0, output: expect.stringContaining('REFUNDED already') });
});

test.each<[string, Readonly<Record<string, unknown>>, string]>([
  ['that the order has not refused for good', { state: 'None' }, '--order o1 --reason'],
  ['that the order has refused, and might take yet', { state: 'Refused' }, '--order o1 --reason'],
  ['for which the order is held', { state: 'Tried' }, 'settle its branches as Cancelled'],
  ['that has paid', { state: 'Confirmed', applied: true }, 'the order is paid by this payment'],
  ['that has paid, long ago', { state: 'None', applied: true }, 'the order is paid by this payment'],
  ['of which another attempt is told', { paymentId: 'p-other' }, 'something else'],
])('leaves a payment alone %s', async (_, changes, words) => {
  const paymentId = await captured();
  attempt(paymentId, changes);
  expect(await refund(paymentId)).toMatchObject({ code: 1, output: expect.stringContaining(words) });
  expect(await statusOf(paymentId)).toBe('SUCCEEDED');
  expect(await refunds(paymentId)).toEqual([]);
});

test('changes nothing while the order service is away, nor by a dry run', async () => {
  const paymentId = await captured();
  payment.orders.misbehave((response) => sendJson(response, 503, {}));
  expect(await refund(paymentId)).toMatchObject({ code: 1, output: expect.stringContaining('answered 503') });
  payment.orders.misbehave((response) => response.destroy());
  expect(await refund(paymentId)).toMatchObject({ code: 1, output: expect.stringContaining('nothing was changed') });
  attempt(paymentId, {});
  expect(await refund(paymentId, '--dry-run')).toMatchObject({ code: 0, output: expect.stringContaining('900 cents') });
  expect(await statusOf(paymentId)).toBe('SUCCEEDED');
});

test('has nothing to do for a payment that was not captured, or that nobody asked for', async () => {
  const paymentId = await payment.asked('o1', 900);
  attempt(paymentId, {});
  const [pending, unknown] = [await refund(paymentId), await refund('p-unknown')];
  expect(pending).toMatchObject({ code: 1, output: expect.stringContaining('never captured') });
  expect(pending.output).toContain('have the provider repeat its success call, and then run this command again');
  expect(unknown).toMatchObject({ code: 1, output: expect.stringContaining('no payment p-unknown') });
  expect(unknown.output).toContain('creations cancel --transaction <namespace>/pay-p-unknown');
  for (const { output } of [pending, unknown]) expect(output).toContain('--returned-by-provider');
});

test.each<[readonly string[], RegExp]>([
  [[], /--payment must be/],
  [['--payment', 'P 1', '--reason', 'why'], /--payment must be/],
  [['--payment', 'p1'], /--reason must say why/],
  [['--payment', 'p1', '--amount', '3'], /--amount/],
])('the command line %j is not usable, and says why', async (args, words) => {
  const { code, output } = await command(...args);
  expect(code).toBe(2);
  expect(output).toMatch(words);
  expect(output).toContain('usage: refund --payment');
});
