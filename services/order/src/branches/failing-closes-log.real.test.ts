/** What the log says of an order whose closes come to nothing: once that they do, and once what became of it after all. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseTransaction } from '../../../protocol/src/index.ts';
import { inTransaction } from '../../../kit/src/index.ts';
import { memoryLog } from '../../../kit/testing/memory-log.ts';
import { OrderFixture, TOTAL_CENTS } from '../../testing/order-fixture.ts';
import { closeOrderBranch } from './close-order.ts';
import { payOrderBranch } from './pay-order.ts';

const LINES = [{ skuId: 'teapot', quantity: 1, unitPriceCents: TOTAL_CENTS }];

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('failing');
}, 30_000);
afterAll(() => fixture.close());

const called = (transaction: string) => ({
  ...{ transaction: parseTransaction(transaction)!, attempt: 1 },
  ...{ reason: 'ParticipantRefused', detail: 'inventory: no' },
});

test.each(['closed', 'paid'] as const)('once that they do, and once that it is %s', async (end) => {
  const { log, lines } = memoryLog();
  const said = (): readonly unknown[] => lines.splice(0).map(({ level, orderId, msg }) => [level, orderId, msg]);
  const closeOrder = closeOrderBranch(log);
  const payOrder = payOrderBranch({ log });
  const { database } = fixture.service;
  const orderId = await fixture.placed();

  const cancelNext = async (): Promise<void> => {
    const { transaction } = await fixture.beginClose(orderId);
    const call = { ...called(transaction), tried: false as const, payload: undefined };
    await inTransaction(database, (client) => closeOrder.cancel(client, call));
  };
  await cancelNext();
  await cancelNext();
  expect(said()).toEqual([]);
  await cancelNext();
  expect(said()).toEqual([['warn', orderId, expect.stringMatching(/^an order: its closes come to nothing/)]]);
  await cancelNext();
  await cancelNext();
  expect(said()).toEqual([]);

  if (end === 'closed') {
    const { transaction } = await fixture.beginClose(orderId);
    const call = { ...called(transaction), payload: { orderId, lines: LINES, cause: 'unpaid' as const } };
    await inTransaction(database, (client) => closeOrder.try(client, call));
    await inTransaction(database, (client) => closeOrder.confirm(client, call));
  } else {
    const paymentId = `p-${orderId}`;
    const payload = {
      orderId,
      userId: 'u1',
      lines: LINES,
      totalCents: TOTAL_CENTS,
      paymentId,
      amountCents: TOTAL_CENTS,
    };
    const call = { ...called(`${fixture.namespace}/pay-${paymentId}`), payload };
    await inTransaction(database, (client) => payOrder.try(client, call));
    await inTransaction(database, (client) => payOrder.confirm(client, call));
  }
  expect(said()).toEqual([['info', orderId, `an order whose closes came to nothing is ${end}`]]);
  expect(await fixture.status(orderId)).toBe(end === 'closed' ? 'CLOSED' : 'PAID');
});

test('an order that is closed after two closes in vain is not spoken of', async () => {
  const { log, lines } = memoryLog();
  const closeOrder = closeOrderBranch(log);
  const { database } = fixture.service;
  const orderId = await fixture.placed();
  for (let vain = 0; vain < 2; vain += 1) {
    const { transaction } = await fixture.beginClose(orderId);
    const call = { ...called(transaction), tried: false as const, payload: undefined };
    await inTransaction(database, (client) => closeOrder.cancel(client, call));
  }
  const { transaction } = await fixture.beginClose(orderId);
  const call = { ...called(transaction), payload: { orderId, lines: LINES, cause: 'unpaid' as const } };
  await inTransaction(database, (client) => closeOrder.try(client, call));
  await inTransaction(database, (client) => closeOrder.confirm(client, call));
  expect(lines).toEqual([]);
});
