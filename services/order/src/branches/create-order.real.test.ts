/** The order's own branch of create-order, through its participant routes and on a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  callOrderBranch,
  orderView,
  placeOrder,
  TEAPOTS,
  type OrderBranchCall,
} from '../../../../tests/services/order-client.ts';
import { runOrder, TWIN_NAMESPACE, type RunningTestService } from '../../../../tests/services/running.ts';
import { freshNamespace, world } from '../../../../tests/world/world.ts';

let order: RunningTestService;
let namespace: string;
let orders = 0;

beforeAll(async () => {
  namespace = await freshNamespace('branch');
  order = await runOrder({ kubeconfig: world().kubeconfig, namespace });
}, 30_000);
afterAll(() => order.close());

const call = (orderId: string, operation: OrderBranchCall['operation'], more: Partial<OrderBranchCall> = {}) =>
  callOrderBranch(order.url, { orderId, namespace, operation, ...more });

/** An order that no customer placed here: only its transaction knows it. */
const newId = (): string => `by-hand-${String(++orders)}`;

async function statuses(orderId: string): Promise<readonly (readonly [string, string | null])[]> {
  const view = await orderView(order.url, orderId);
  return (view?.history ?? []).map(({ status, reason }) => [status, reason] as const);
}

async function inOutbox(orderId: string): Promise<boolean> {
  const { rowCount } = await order.database.query('select from creation where order_id = $1', [orderId]);
  return rowCount === 1;
}

describe('try', () => {
  test('places the order as INIT', async () => {
    const orderId = newId();
    expect(await call(orderId, 'try')).toMatchObject({ status: 200, state: 'Tried' });
    expect(await orderView(order.url, orderId)).toMatchObject({
      orderId,
      ...TEAPOTS,
      totalCents: 2500,
      status: 'INIT',
    });
    expect(await statuses(orderId)).toEqual([['INIT', null]]);
  });

  test.each([
    ['of another name', (orderId: string) => `${namespace}/create-${orderId}-again`],
    ['in another namespace', (orderId: string) => `${TWIN_NAMESPACE}/create-${orderId}`],
  ])(
    'of a transaction %s with the same order id is refused, and its cancel leaves the order alone',
    async (_, copyOf) => {
      const orderId = newId();
      await call(orderId, 'try');
      const transaction = copyOf(orderId);
      expect(await call(orderId, 'try', { transaction })).toMatchObject({
        status: 409,
        state: 'Refused',
        code: 'refused',
      });
      expect(await call(orderId, 'cancel', { transaction })).toMatchObject({ status: 200, state: 'Cancelled' });
      expect(await call(orderId, 'confirm')).toMatchObject({ status: 200, state: 'Confirmed' });
      expect(await statuses(orderId)).toEqual([
        ['INIT', null],
        ['PENDING_PAYMENT', null],
      ]);
    },
  );

  test.each([
    ['of another name', (orderId: string) => `${namespace}/create-${orderId}-again`],
    ['in another namespace', (orderId: string) => `${TWIN_NAMESPACE}/create-${orderId}`],
  ])(
    'of a transaction %s, before that of an accepted order, takes nothing, and its cancel neither',
    async (_, copyOf) => {
      for (const tried of [true, false]) {
        const { orderId } = (await placeOrder(order.url)).body;
        const transaction = copyOf(orderId);
        if (tried) expect(await call(orderId, 'try', { transaction })).toMatchObject({ status: 409, state: 'Refused' });
        expect(await call(orderId, 'cancel', { transaction })).toMatchObject({ status: 200, state: 'Cancelled' });
        expect(await statuses(orderId)).toEqual([['INIT', null]]);
        expect(await call(orderId, 'try')).toMatchObject({ status: 200, state: 'Tried' });
        expect(await call(orderId, 'confirm')).toMatchObject({ status: 200, state: 'Confirmed' });
      }
    },
  );

  test('with a total that is not the sum of the lines is refused, naming the field', async () => {
    const orderId = newId();
    const answer = await call(orderId, 'try', { payload: { orderId, ...TEAPOTS, totalCents: 1 } });
    expect(answer).toMatchObject({ status: 409, state: 'Refused' });
    expect(answer.detail).toContain('totalCents');
    expect(await orderView(order.url, orderId)).toBeUndefined();
  });
});

describe('confirm', () => {
  test('makes the order PENDING_PAYMENT, once', async () => {
    const orderId = newId();
    await call(orderId, 'try');
    await call(orderId, 'confirm');
    expect(await call(orderId, 'confirm')).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await statuses(orderId)).toEqual([
      ['INIT', null],
      ['PENDING_PAYMENT', null],
    ]);
  });
});

describe('cancel', () => {
  test('makes the order CANCELLED and says why, in the words that came with it', async () => {
    const orderId = newId();
    await call(orderId, 'try');
    await call(orderId, 'cancel', {
      reason: 'Refused',
      detail: 'out of stock: teapot (2 wanted, none left) 売切\u0000れ',
    });
    expect(await statuses(orderId)).toEqual([
      ['INIT', null],
      ['CANCELLED', 'out of stock: teapot (2 wanted, none left) 売切 れ'],
    ]);
  });

  test.each([
    ['DeadlineExceeded', 'a service did not answer in time'],
    ['CancelRequested', 'it was cancelled on request'],
  ])('because of %s says so when no words came with it', async (reason, words) => {
    const orderId = newId();
    await call(orderId, 'try');
    await call(orderId, 'cancel', { reason });
    expect(await statuses(orderId)).toContainEqual(['CANCELLED', words]);
  });

  test('without a try records the order as CANCELLED, and the late try does not bring it to life', async () => {
    const orderId = newId();
    expect(await call(orderId, 'cancel', { reason: 'DeadlineExceeded' })).toMatchObject({
      status: 200,
      state: 'Cancelled',
    });
    expect(await call(orderId, 'try')).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await orderView(order.url, orderId)).toMatchObject({ status: 'CANCELLED', ...TEAPOTS, totalCents: 2500 });
    expect(await statuses(orderId)).toEqual([
      ['INIT', null],
      ['CANCELLED', 'a service did not answer in time'],
    ]);
  });

  test('without a try of an accepted order keeps the moment it was accepted, and ends its creation', async () => {
    const { body } = await placeOrder(order.url);
    const accepted = await orderView(order.url, body.orderId);
    await call(body.orderId, 'cancel', { reason: 'DeadlineExceeded' });
    const ended = await orderView(order.url, body.orderId);
    expect(ended).toMatchObject({ status: 'CANCELLED', history: [accepted!.history[0], { status: 'CANCELLED' }] });
    expect(await inOutbox(body.orderId)).toBe(false);
  });

  test('that nobody can read the payload of still ends an accepted order', async () => {
    const { body } = await placeOrder(order.url);
    expect(
      await call(body.orderId, 'cancel', { payload: { nonsense: true }, reason: 'CancelRequested' }),
    ).toMatchObject({ status: 200 });
    expect(await orderView(order.url, body.orderId)).toMatchObject({ ...TEAPOTS, status: 'CANCELLED' });
    expect(await inOutbox(body.orderId)).toBe(false);
  });

  test('that nobody can read the payload of, for an order nobody accepted, is done and records nothing', async () => {
    const orderId = newId();
    expect(await call(orderId, 'cancel', { payload: [] })).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await orderView(order.url, orderId)).toBeUndefined();
  });
});

test.each(['confirm', 'cancel'] as const)(
  '%s removes the creation from the outbox with the change it makes',
  async (operation) => {
    const { body } = await placeOrder(order.url);
    await call(body.orderId, 'try');
    expect(await inOutbox(body.orderId)).toBe(true);
    await call(body.orderId, operation);
    expect(await inOutbox(body.orderId)).toBe(false);
  },
);
