/**
 * A captured payment whose transaction could not be created for a week, with everything real: the page for it is followed as it is
 * written, the money goes back once, and what is created later changes nothing.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { waitFor } from '../../local/deadline.ts';
import { inheritedEnvironment } from '../../local/process-group.ts';
import { Customers } from '../world/customers.ts';
import { pageCommands, runAsWritten } from '../world/page-commands.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { world } from '../world/world.ts';

const OPEN_MS = 120_000;
const TEST_MS = 180_000;
const SOON_MS = 60_000;
const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 450 };

let shop: Shop;
let customers: Customers;
let database: pg.Pool;

beforeAll(async () => {
  shop = await openShop('lostpayment', { services: ['payment', 'dispatch', 'wms', 'member', 'notification'] });
  customers = new Customers(shop);
  database = new pg.Pool({ connectionString: shop.services.order.databaseUrl });
  await shop.stock(TEA.skuId, 100);
}, OPEN_MS);
afterAll(async () => {
  await database.end();
  await shop.close();
}, OPEN_MS);

const rowsOf = async (transaction: string, where: string): Promise<number | null> =>
  (await database.query(`select from creation where transaction = $1 and ${where}`, [transaction])).rowCount;

/** Captured and announced while no controller runs; then its transaction is lost, and a week is over. */
async function givenUp(paymentId: string): Promise<object> {
  const name = `pay-${paymentId}`;
  const { spec } = await shop.transactionWhen(name, 'to be there', () => true);
  const transaction = `${shop.namespace}/${name}`;
  await database.query(
    `update creation set created_at = now() - interval '8 days', due_at = now() where transaction = $1`,
    [transaction],
  );
  await waitFor(async () => (await rowsOf(transaction, `due_at = 'infinity'`)) === 1, {
    ...{ what: 'its creation to be given up', deadlineMs: SOON_MS },
  });
  await shop.patch(name, { metadata: { annotations: { 'ordertx.dev/abandon': 'lost in this test' } } });
  const deleted = await shop.admin.request('DELETE', shop.pathOf('ordertransactions', name));
  expect(deleted.status).toBe(200);
  return spec;
}

async function followThePage(paymentId: string): Promise<readonly string[]> {
  const { order, payment } = shop.services;
  const run = {
    kubectl: world().kubectl,
    env: {
      ...inheritedEnvironment(),
      ...{ ORDER_DATABASE_URL: order.databaseUrl, PAYMENT_DATABASE_URL: payment!.databaseUrl },
      ...{ ORDER_URL: order.url, PAYMENT_URL: payment!.url },
    },
    names: { 'shop/': `${shop.namespace}/`, p2001: paymentId },
  };
  const [list = '', cancel = '', refund = '', ...others] = pageCommands('docs/operating/payment-given-up.md');
  expect(others).toEqual([]);
  const printed: string[] = [];
  // The page ends with the second command once more.
  for (const command of [list, cancel, refund, cancel, list]) printed.push((await runAsWritten(command, run)).stdout);
  return printed;
}

test(
  'the page is followed: the money goes back once, the order can be closed, and a late transaction changes nothing',
  async () => {
    const first = await shop.startController();
    const orderId = await customers.orderToPay([TEA]);
    await customers.atRest();
    first.part.process.kill('SIGKILL');
    await first.part.process.exited;
    const paymentId = (await customers.paymentLink(orderId)) ?? '';
    await customers.capture(paymentId);
    const spec = await givenUp(paymentId);

    const [listed, cancelled, refunded, again, left] = await followThePage(paymentId);
    expect(listed).toContain(`${shop.namespace}/pay-${paymentId} (pay-order, order ${orderId})`);
    expect(cancelled).toContain(`can never pay order ${orderId} any more`);
    expect(refunded).toContain('on their way back');
    expect(again).toContain('nothing is left to do');
    expect(left).toContain('no creation is given up');
    await customers.paymentIs(paymentId, 'REFUNDED');

    const late = await shop.admin.request('POST', shop.pathOf('ordertransactions'), {
      ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name: `pay-${paymentId}` }, spec },
    });
    expect(late.status).toBe(201);
    await shop.startController();
    expect((await shop.final(`pay-${paymentId}`, SOON_MS)).status).toMatchObject({ phase: 'Cancelled' });
    await customers.insist('the withdrawal to be answered', () => customers.withdraw(orderId));
    await customers.statusIs(orderId, 'CLOSED');
    await customers.atRest();
    await customers.paymentIs(paymentId, 'REFUNDED');
    expect(await shop.stockOf(TEA.skuId)).toMatchObject({ sellable: 100, frozen: 0, sold: 0 });
    expect(await shop.violations()).toEqual([]);
  },
  TEST_MS,
);
