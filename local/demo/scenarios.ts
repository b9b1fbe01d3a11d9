/**
 * The demo's scenarios, in the order in which they are run. Each starts from a system at rest and leaves it so.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { DemoShop, Shop } from './demo-shop.ts';

export type Scenario = { readonly title: string; readonly run: (shop: DemoShop) => Promise<void> };

const TWO_TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 450 };
const MESSAGES =
  'custom-columns=NAME:.metadata.name,PHASE:.status.phase,MESSAGES:.status.messages[*].name,STATES:.status.messages[*].state';

const isFinished = ({ status }: OrderTransaction) => status?.finishedAt !== undefined;

/** On any system, wherever it is. */
export const happyPath = {
  title: 'An order is placed, paid, shipped and received',
  run: async (shop: Shop): Promise<void> => {
    shop.tell(`There are ten packets of tea. Ann orders two. The order service records the order and creates an
      OrderTransaction; the controller asks both participants to try, stores the decision, and has it confirmed. Dispatch
      and warehouse hear of it by messages, and the transaction ends when their receipts are back.`);
    await shop.stock('tea', 10);
    const { transaction, orderId } = await shop.placeOrder([TWO_TEA], true);
    await shop.transactionIs(transaction, 'to be finished', isFinished);
    await shop.kubectl('get', 'otx');
    shop.tell('The order waits for its payment, and two packets are frozen for it.');
    await shop.showStock('tea');
    shop.tell(`Ann asks for a payment link and pays. The payment service tells the order service, which creates the
      transaction pay-<paymentId>: order and inventory agree again, then four messages follow.`);
    const paymentId = await shop.askForPayment(orderId);
    await shop.capture(paymentId);
    await shop.says('order', `/orders/${orderId}`, 'status', 'PAID');
    await shop.transactionIs(`pay-${paymentId}`, 'to be finished', isFinished);
    await shop.kubectl('get', 'otx', `pay-${paymentId}`, '--output', MESSAGES);
    await shop.showStock('tea');
    await shop.showFollowers(orderId);
    shop.tell('The warehouse ships, which the order service hears a little later; then Ann has her tea.');
    await shop.ship(orderId);
    await shop.says('order', `/orders/${orderId}`, 'status', 'SHIPPED');
    await shop.receive(orderId);
    await shop.showOrder(orderId);
  },
};

const outOfStock: Scenario = {
  title: 'Out of stock',
  run: async (shop) => {
    shop.tell(`Ann wants fifty more, and a teapot of which there is none. Inventory refuses its try, so the decision is
      Cancel: the order service is told to cancel too, and the customer hears why.`);
    await shop.stock('teapot', 0);
    const lines = [
      { skuId: 'tea', quantity: 50, unitPriceCents: 450 },
      { skuId: 'teapot', quantity: 1, unitPriceCents: 3_900 },
    ];
    const { transaction } = await shop.placeOrder(lines, true);
    await shop.transactionIs(transaction, 'to be finished', isFinished);
    await shop.kubectl('get', 'otx', '--output', 'wide');
    shop.tell('Nothing was reserved: the stock is as it was.');
    await shop.showStock('tea');
  },
};

const participantKilled: Scenario = {
  title: 'A participant is killed and comes back',
  run: async (shop) => {
    shop.tell(`The inventory service is killed, without warning. Ann orders all the same; this time her page does not
      wait, and the order is accepted at once.`);
    await shop.kill('inventory');
    const { transaction, orderId } = await shop.placeOrder([{ skuId: 'tea', quantity: 1, unitPriceCents: 450 }], false);
    const waits = ({ status }: OrderTransaction) => status?.waitingFor === 'inventory';
    await shop.transactionIs(transaction, 'to wait for inventory', waits);
    shop.tell(`Nobody knows whether inventory has reserved anything, so the controller decides nothing yet. It asks again,
      and says whom it waits for:`);
    await shop.kubectl('get', 'otx', '--output', 'wide');
    await shop.kubectl('get', 'otx', '--field-selector', 'status.waitingFor=inventory');
    shop.tell('The service is started again. No one has to tell the controller.');
    await shop.bringBack('inventory');
    await shop.transactionIs(transaction, 'to be finished', isFinished);
    await shop.kubectl('get', 'otx', transaction);
    await shop.capture(await shop.askForPayment(orderId));
    await shop.says('order', `/orders/${orderId}`, 'status', 'PAID');
    await shop.showStock('tea');
  },
};

const unpaid: Scenario = {
  title: 'Nobody pays',
  run: async (shop) => {
    shop.tell(`Ann orders two more and thinks better of it. When her time to pay is over (half an hour; here some seconds),
      the order service closes the order by a transaction of its own, and the stock is back on sale.`);
    const { orderId } = await shop.placeOrder([TWO_TEA], true);
    await shop.showStock('tea');
    await shop.says('order', `/orders/${orderId}`, 'status', 'CLOSED');
    await shop.transactionIs(`close-${orderId}-1`, 'to be finished', isFinished);
    await shop.kubectl('get', 'otx', `close-${orderId}-1`, '--output', MESSAGES);
    await shop.showOrder(orderId);
    await shop.showStock('tea');
  },
};

const paidTooLate: Scenario = {
  title: 'A payment comes too late',
  run: async (shop) => {
    shop.tell(`Once more Ann lets her time go by, but this time with the payment page open, and pays after all. The money has
      come in, so it must be applied or given back. The order and inventory say no to its transaction's try; whichever is heard
      first, the decision is Cancel, and after a cancelled payment a refund follows, as reliably as everything else.`);
    const { orderId } = await shop.placeOrder([TWO_TEA], true);
    const paymentId = await shop.askForPayment(orderId);
    await shop.says('order', `/orders/${orderId}`, 'status', 'CLOSED');
    await shop.capture(paymentId);
    await shop.says('payment', `/payments/${paymentId}`, 'status', 'REFUNDED');
    await shop.transactionIs(`pay-${paymentId}`, 'to be finished', isFinished);
    await shop.kubectl('get', 'otx', `pay-${paymentId}`, '--output', 'wide');
    await shop.showPayment(paymentId);
  },
};

export const SCENARIOS: readonly Scenario[] = [happyPath, outOfStock, participantKilled, unpaid, paidTooLate];
