/** A payment whose creation was given up, and `creations given-up` and `creations cancel`; on a real database and a real API server. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { waitFor } from '../../../../local/deadline.ts';
import { DEADLINE_MS, done, OrderFixture, TOTAL_CENTS, type PaymentSteps } from '../../testing/order-fixture.ts';
import { paymentService, type PaymentService } from '../payments/payment-service.ts';
import { givenUpCommand } from './given-up-command.ts';

let fixture: OrderFixture;
let payments: PaymentService;

beforeAll(async () => {
  fixture = await OrderFixture.open('given-up');
  payments = paymentService(fixture.payments.url);
}, 30_000);
beforeEach(() => fixture.payments.away(false));
afterAll(async () => {
  await payments.close();
  await fixture.close();
});

interface GivenUpPayment {
  readonly orderId: string;
  readonly payment: PaymentSteps;
}

/** Captured and heard of, and sent in vain for more than a week. */
async function givenUp(): Promise<GivenUpPayment> {
  const orderId = await fixture.placed();
  const payment = fixture.payment(orderId);
  await fixture.announce(orderId, payment);
  await fixture.service.database.query(
    `update creation set created_at = now() - interval '8 days', due_at = now() where transaction = $1`,
    [payment.transaction],
  );
  await waitFor(() => isGivenUp(payment), { what: 'the creation to be given up', deadlineMs: DEADLINE_MS });
  return { orderId, payment };
}

async function isGivenUp({ transaction }: PaymentSteps): Promise<boolean> {
  const { rowCount } = await fixture.service.database.query(
    `select from creation where transaction = $1 and due_at = 'infinity'`,
    [transaction],
  );
  return rowCount === 1;
}

async function creations(...args: readonly string[]): Promise<{ code: number; output: string }> {
  const lines: string[] = [];
  const code = await givenUpCommand({
    args,
    pool: fixture.service.database,
    payments,
    print: (line) => lines.push(line),
  });
  return { code, output: lines.join('\n') };
}

const cancel = ({ transaction }: PaymentSteps, ...more: readonly string[]) =>
  creations('cancel', '--transaction', transaction, '--reason', 'TICKET-1: lost for a week', ...more);

const attempt = async ({ orderId, payment }: GivenUpPayment): Promise<unknown> =>
  (await fetch(`${fixture.service.url}/orders/${orderId}/payments/${payment.paymentId}`)).json();

function refunding({ orderId, payment: { paymentId } }: GivenUpPayment): void {
  fixture.payments.know({ paymentId, orderId, status: 'REFUNDING', capturedCents: TOTAL_CENTS });
}

test('it can never pay any more, its close goes on, and the alarm stays until the money is on its way back', async () => {
  const given = await givenUp();
  const { orderId, payment } = given;
  expect((await creations('given-up')).output).toContain(`${payment.transaction} (pay-order, order ${orderId})`);
  await fixture.overdue(orderId);

  const first = await cancel(payment);
  expect(first).toMatchObject({ code: 0, output: expect.stringContaining(`refund --payment ${payment.paymentId}`) });
  expect(await fixture.fenceState(payment.transaction)).toBe('Cancelled');
  expect(await isGivenUp(payment)).toBe(true);
  expect(await attempt(given)).toMatchObject({ state: 'Cancelled', applied: false, transaction: payment.transaction });
  const close = fixture.closing(orderId, 1);
  await fixture.begun(orderId, close.transaction);

  expect(await cancel(payment)).toEqual(first);
  refunding(given);
  expect(await cancel(payment)).toMatchObject({ code: 0, output: expect.stringContaining('nothing is left to do') });
  expect(await isGivenUp(payment)).toBe(false);
  expect(await cancel(payment)).toMatchObject({ code: 0, output: expect.stringContaining('nothing is left to do') });
  await done(close, 'try', 'confirm');
  expect(await fixture.status(orderId)).toBe('CLOSED');
});

test('its transaction, created late by whomever, is refused and cancelled without effect; another payment pays', async () => {
  const given = await givenUp();
  const { orderId, payment } = given;
  await cancel(payment);
  expect(await payment.try()).toMatchObject({ status: 409, state: 'Cancelled' });
  await done(payment, 'cancel');
  expect(await fixture.status(orderId)).toBe('PENDING_PAYMENT');
  await done(fixture.payment(orderId), 'try', 'confirm');
  expect(await fixture.status(orderId)).toBe('PAID');
  expect(await payment.try()).toMatchObject({ status: 409, state: 'Cancelled' });
  refunding(given);
  expect(await cancel(payment)).toMatchObject({ code: 0 });
});

test('what became of it is told by its namespace also where the order itself is lost', async () => {
  const { orderId, payment } = await givenUp();
  await cancel(payment);
  const lost = fixture.newId();
  const asked = (namespace: string) =>
    fetch(`${fixture.service.url}/orders/${lost}/payments/${payment.paymentId}${namespace}`);
  expect((await asked('')).status).toBe(404);
  expect(await (await asked(`?namespace=${fixture.namespace}`)).json()).toEqual({
    ...{ orderId: lost, paymentId: payment.paymentId, transaction: payment.transaction },
    ...{ applied: false, state: 'Cancelled' },
  });
  expect(await (await asked(`?namespace=${TWIN_NAMESPACE}`)).json()).toMatchObject({ applied: false, state: 'None' });
  const known = `${fixture.service.url}/orders/${orderId}/payments/${payment.paymentId}?namespace=${TWIN_NAMESPACE}`;
  expect(await (await fetch(known)).json()).toMatchObject({ transaction: payment.transaction, state: 'Cancelled' });
});

test('payment.succeeded, coming again in between, begins nothing anew', async () => {
  const { orderId, payment } = await givenUp();
  await cancel(payment);
  await fixture.forgetMessage(`payment/payment.succeeded/${payment.paymentId}`);
  expect(await fixture.announce(orderId, payment)).toMatchObject({ result: 'delivered' });
  expect(await fixture.outbox(orderId)).toHaveLength(1);
  expect(await isGivenUp(payment)).toBe(true);
});

test('one that was refused by the order before can be cancelled as well', async () => {
  const { orderId, payment } = await givenUp();
  const other = fixture.payment(orderId);
  await done(other, 'try');
  expect(await payment.try()).toMatchObject({ status: 409, state: 'Refused' });
  await done(other, 'cancel');
  expect(await cancel(payment)).toMatchObject({ code: 0 });
  expect(await fixture.fenceState(payment.transaction)).toBe('Cancelled');
});

test('one whose transaction lives is left alone and named, whether it is tried or confirmed', async () => {
  const { orderId, payment } = await givenUp();
  await done(payment, 'try');
  const tried = await cancel(payment);
  expect(tried).toMatchObject({ code: 1, output: expect.stringContaining(`${payment.transaction} lives`) });
  expect(await fixture.fenceState(payment.transaction)).toBe('Tried');
  await done(payment, 'confirm');
  expect(await cancel(payment)).toMatchObject({ code: 1, output: expect.stringContaining('its branch is Confirmed') });
  expect(await fixture.status(orderId)).toBe('PAID');
});

test('a try at the same moment either holds the order or is refused: never both', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { orderId, payment } = await givenUp();
    const [{ code }, { status }] = await Promise.all([cancel(payment), payment.try()]);
    expect([code, status, await fixture.status(orderId)]).toEqual(
      status === 200 ? [1, 200, 'PAYING'] : [0, 409, 'PENDING_PAYMENT'],
    );
  }
}, 60_000);

test('one that is not given up is left alone', async () => {
  const orderId = await fixture.placed();
  const payment = fixture.payment(orderId);
  expect(await cancel(payment)).toMatchObject({ code: 1, output: expect.stringContaining('nothing to cancel') });
  await fixture.announce(orderId, payment);
  expect(await cancel(payment)).toMatchObject({ code: 1, output: expect.stringContaining('is not given up') });
  expect(await fixture.fenceState(payment.transaction)).toBeUndefined();
});

test('nothing is changed while the payment service is away, nor by a dry run', async () => {
  const { payment } = await givenUp();
  expect(await cancel(payment, '--dry-run')).toMatchObject({ code: 0, output: expect.stringContaining('would be') });
  fixture.payments.away(true);
  expect(await cancel(payment)).toMatchObject({ code: 1, output: expect.stringContaining('nothing was changed') });
  expect(await fixture.fenceState(payment.transaction)).toBeUndefined();
});

test.each<[readonly string[], RegExp]>([
  [['cancel'], /--transaction must be/],
  [['cancel', '--transaction', 'pay-p1'], /--transaction must be/],
  [['cancel', '--transaction', 'shop/pay-p1', '--reason', ' '], /--reason must say why/],
  [['cancel', '--force'], /--force/],
  [['given-up', '--dry-run'], /takes no options/],
])('the command line %j is not usable, and says why', async (args, words) => {
  const { code, output } = await creations(...args);
  expect(code).toBe(2);
  expect(output).toMatch(words);
  expect(output).toContain('usage: creations given-up');
});
