/** A payment that nobody creates any more, and `creations given-up` and `creations cancel`; on a real database and a real API server. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { waitFor } from '../../../../local/deadline.ts';
import { DEADLINE_MS, done, OrderFixture, TOTAL_CENTS, type PaymentSteps } from '../../testing/order-fixture.ts';
import { paymentService, type PaymentService } from '../payments/payment-service.ts';
import { cancelCommand } from './cancel-command.ts';
import { creationsCommand } from './creations-command.ts';
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

async function creations(verb: string, ...args: readonly string[]): Promise<{ code: number; output: string }> {
  const lines: string[] = [];
  const common = { args, pool: fixture.service.database, print: (line: string) => void lines.push(line) };
  const code = verb === 'given-up' ? await givenUpCommand(common) : await cancelCommand({ ...common, payments });
  return { code, output: lines.join('\n') };
}

const cancel = ({ transaction }: PaymentSteps, ...more: readonly string[]) =>
  creations('cancel', '--transaction', transaction, '--reason', 'TICKET-1: lost for a week', ...more);

const says = (code: number, ...words: readonly string[]) => ({
  code,
  output: expect.stringMatching(
    new RegExp(words.map((each) => each.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join('[^]*')),
  ),
});

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

describe('where the payment service has forgotten the capture', () => {
  test('of a payment that it knows, the provider repeats its call, and the money goes back by the service', async () => {
    const given = await givenUp();
    const { orderId, payment } = given;
    const { paymentId } = payment;
    fixture.payments.know({ paymentId, orderId, status: 'PENDING', capturedCents: null });
    expect(await cancel(payment)).toEqual(
      says(0, 'is PENDING there', 'repeat its success call', `refund --payment ${paymentId}`),
    );
    expect(await fixture.fenceState(payment.transaction)).toBe('Cancelled');
    expect(await isGivenUp(payment)).toBe(true);
    fixture.payments.know({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS });
    expect(await cancel(payment, '--returned-by-provider')).toEqual(says(1, 'nothing was changed', 'is SUCCEEDED'));
    expect(await cancel(payment)).toEqual(says(0, `run next refund --payment ${paymentId}`, 'this command again'));
    refunding(given);
    expect(await cancel(payment)).toEqual(says(0, 'nothing is left to do'));
    expect(await isGivenUp(payment)).toBe(false);
  });

  test('of a payment that it does not know, the provider gives the money back, and a person says so', async () => {
    const { orderId, payment } = await givenUp();
    fixture.payments.forget(payment.paymentId);
    const first = await cancel(payment);
    expect(first).toEqual(
      says(0, 'is not known to the payment service', 'have the provider give it back', '--returned-by-provider'),
    );
    expect(first.output).not.toContain('refund --payment');
    expect(await isGivenUp(payment)).toBe(true);
    expect(await cancel(payment, '--returned-by-provider')).toEqual(says(0, 'nothing is left to do'));
    expect(await isGivenUp(payment)).toBe(false);
    expect(await fixture.fenceState(payment.transaction)).toBe('Cancelled');
    expect(await cancel(payment)).toEqual(says(0, 'nothing is left to do'));
    // Should the capture be told once more, it must be looked at.
    expect(await fixture.announce(orderId, payment)).toMatchObject({ result: 'refused' });
  });
});

describe('where no creation of it waits', () => {
  test('one that was captured is kept from paying, once its order is named; then its money can go back', async () => {
    const orderId = await fixture.placed();
    const payment = fixture.payment(orderId);
    const { paymentId, transaction } = payment;
    fixture.payments.know({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS });
    expect(await cancel(payment)).toEqual(says(1, 'nothing was changed', '--order <id>'));
    expect(await cancel(payment, '--order', orderId, '--dry-run')).toEqual(says(0, 'would be kept from paying'));
    expect(await fixture.fenceState(transaction)).toBeUndefined();
    expect(await cancel(payment, '--order', orderId)).toEqual(
      says(0, 'can never pay', `run next refund --payment ${paymentId}`),
    );
    expect(await payment.try()).toMatchObject({ status: 409, state: 'Cancelled' });
    expect(await cancel(payment, '--order', orderId)).toEqual(
      says(0, 'nothing is left to do here', 'refund --payment'),
    );
    await done(fixture.payment(orderId), 'try', 'confirm');
  });

  test('one of which no money is known, of another order, or in another namespace is left alone and named', async () => {
    const [orderId, otherId] = [await fixture.placed(), await fixture.placed()];
    const payment = fixture.payment(orderId);
    const { paymentId } = payment;
    const isLeft = async (of: PaymentSteps, order: string, ...words: readonly string[]) => {
      expect(await cancel(of, '--order', order)).toEqual(says(1, 'nothing was changed', ...words));
      expect(await fixture.fenceState(of.transaction)).toBeUndefined();
    };
    fixture.payments.forget(paymentId);
    await isLeft(payment, orderId, 'knows no payment');
    fixture.payments.know({ paymentId, orderId, status: 'PENDING', capturedCents: null });
    await isLeft(payment, orderId, 'nothing was captured');
    fixture.payments.know({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: TOTAL_CENTS });
    await isLeft(payment, otherId, 'knows no payment');
    const copy = fixture.payment(orderId, { paymentId, transaction: `${TWIN_NAMESPACE}/pay-${paymentId}` });
    await isLeft(copy, orderId, `is ${payment.transaction}`);
  });
});

test('one whose transaction lives is left alone and named, whether it is tried or confirmed', async () => {
  const { orderId, payment } = await givenUp();
  await done(payment, 'try');
  const tried = await cancel(payment);
  expect(tried).toEqual(says(1, 'its transaction lives', 'settle its branches as Cancelled'));
  expect(await fixture.fenceState(payment.transaction)).toBe('Tried');
  await done(payment, 'confirm');
  expect(await cancel(payment)).toEqual(says(1, 'is Confirmed here: its payment is applied'));
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
  expect(await cancel(payment)).toMatchObject({ code: 1, output: expect.stringContaining('--order <id>') });
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

test('what there is to run and what it reads is told where nothing usable is asked for', async () => {
  const { databaseUrl } = fixture.service;
  for (const args of [[], ['list']]) {
    const lines: string[] = [];
    expect(await creationsCommand({ args, databaseUrl, print: (line) => lines.push(line) })).toBe(2);
    for (const word of [
      'creations again',
      'creations given-up',
      'creations cancel',
      'ORDER_CREATIONS_KEPT_DAYS',
      'PAYMENT_URL',
    ])
      expect(lines.join('\n')).toContain(word);
  }
});

test('given-up is listed without the address of the payment service', async () => {
  const { payment } = await givenUp();
  const lines: string[] = [];
  const { databaseUrl } = fixture.service;
  expect(await creationsCommand({ args: ['given-up'], databaseUrl, print: (line) => lines.push(line) })).toBe(0);
  expect(lines.join('\n')).toContain(payment.transaction);
});

test.each<[readonly [string, ...string[]], RegExp]>([
  [['cancel'], /--transaction must be/],
  [['cancel', '--transaction', 'pay-p1'], /--transaction must be/],
  [['cancel', '--transaction', 'shop/create-o1', '--reason', 'why'], /--transaction must be/],
  [['cancel', '--transaction', 'shop/pay-p1', '--reason', 'why', '--order', 'O 1'], /--order must be/],
  [['cancel', '--transaction', 'shop/pay-p1', '--reason', ' '], /--reason must say why/],
  [['cancel', '--force'], /--force/],
  [['given-up', '--dry-run'], /takes no options/],
])('the command line %j is not usable, and says why', async (args, words) => {
  const { code, output } = await creations(...args);
  expect(code).toBe(2);
  expect(output).toMatch(words);
  expect(output).toContain('creations given-up');
});
