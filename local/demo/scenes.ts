/**
 * The demo's scenes, in the order in which they are played. Each starts from a system at rest and leaves it so.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { Stage } from './stage.ts';

export type Scene = { readonly title: string; readonly play: (stage: Stage) => Promise<void> };

const TWO_TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 450 };
const MESSAGES =
  'custom-columns=NAME:.metadata.name,PHASE:.status.phase,MESSAGES:.status.messages[*].name,STATES:.status.messages[*].state';

const isFinished = ({ status }: OrderTransaction) => status?.finishedAt !== undefined;

const happyPath: Scene = {
  title: 'An order is placed, paid, shipped and received',
  play: async (stage) => {
    stage.tell(`There are ten packets of tea. Ann orders two. The order service records the order and creates an
      OrderTransaction; the controller asks both participants to try, stores the decision, and has it confirmed. Dispatch
      and warehouse hear of it by messages, and the transaction ends when their receipts are back.`);
    await stage.stock('tea', 10);
    const { transaction, orderId } = await stage.placeOrder([TWO_TEA], true);
    await stage.transactionIs(transaction, 'to be finished', isFinished);
    await stage.kubectl('get', 'otx');
    stage.tell('The order waits for its payment, and two packets are frozen for it.');
    await stage.showStock('tea');
    stage.tell(`Ann asks for a payment link and pays. The payment service tells the order service, which creates the
      transaction pay-<paymentId>: order and inventory agree again, then four messages follow.`);
    const paymentId = await stage.askForPayment(orderId);
    await stage.capture(paymentId);
    await stage.says('order', `/orders/${orderId}`, 'status', 'PAID');
    await stage.transactionIs(`pay-${paymentId}`, 'to be finished', isFinished);
    await stage.kubectl('get', 'otx', `pay-${paymentId}`, '--output', MESSAGES);
    await stage.showStock('tea');
    await stage.showFollowers(orderId);
    stage.tell('The warehouse ships, which the order service hears a little later; then Ann has her tea.');
    await stage.ship(orderId);
    await stage.says('order', `/orders/${orderId}`, 'status', 'SHIPPED');
    await stage.receive(orderId);
    await stage.showOrder(orderId);
  },
};

const outOfStock: Scene = {
  title: 'Out of stock',
  play: async (stage) => {
    stage.tell(`Ann wants fifty more, and a teapot of which there is none. Inventory refuses its try, so the decision is
      Cancel: the order service is told to cancel too, and the customer hears why.`);
    await stage.stock('teapot', 0);
    const lines = [
      { skuId: 'tea', quantity: 50, unitPriceCents: 450 },
      { skuId: 'teapot', quantity: 1, unitPriceCents: 3_900 },
    ];
    const { transaction } = await stage.placeOrder(lines, true);
    await stage.transactionIs(transaction, 'to be finished', isFinished);
    await stage.kubectl('get', 'otx', '--output', 'wide');
    stage.tell('Nothing was reserved: the stock is as it was.');
    await stage.showStock('tea');
  },
};

const participantKilled: Scene = {
  title: 'A participant is killed and comes back',
  play: async (stage) => {
    stage.tell(`The inventory service is killed, without warning. Ann orders all the same; this time her page does not
      wait, and the order is accepted at once.`);
    await stage.kill('inventory');
    const { transaction, orderId } = await stage.placeOrder(
      [{ skuId: 'tea', quantity: 1, unitPriceCents: 450 }],
      false,
    );
    const waits = ({ status }: OrderTransaction) => status?.waitingFor === 'inventory';
    await stage.transactionIs(transaction, 'to wait for inventory', waits);
    stage.tell(`Nobody knows whether inventory has reserved anything, so the controller decides nothing yet. It asks again,
      and says whom it waits for:`);
    await stage.kubectl('get', 'otx', '--output', 'wide');
    await stage.kubectl('get', 'otx', '--field-selector', 'status.waitingFor=inventory');
    stage.tell('The service is started again. No one has to tell the controller.');
    await stage.bringBack('inventory');
    await stage.transactionIs(transaction, 'to be finished', isFinished);
    await stage.kubectl('get', 'otx', transaction);
    await stage.capture(await stage.askForPayment(orderId));
    await stage.says('order', `/orders/${orderId}`, 'status', 'PAID');
    await stage.showStock('tea');
  },
};

const unpaid: Scene = {
  title: 'Nobody pays',
  play: async (stage) => {
    stage.tell(`Ann orders two more and thinks better of it. When her time to pay is over (half an hour; here some seconds),
      the order service closes the order by a transaction of its own, and the stock is back on sale.`);
    const { orderId } = await stage.placeOrder([TWO_TEA], true);
    await stage.showStock('tea');
    await stage.says('order', `/orders/${orderId}`, 'status', 'CLOSED');
    await stage.transactionIs(`close-${orderId}-1`, 'to be finished', isFinished);
    await stage.kubectl('get', 'otx', `close-${orderId}-1`, '--output', MESSAGES);
    await stage.showOrder(orderId);
    await stage.showStock('tea');
  },
};

const paidTooLate: Scene = {
  title: 'A payment comes too late',
  play: async (stage) => {
    stage.tell(`Once more Ann lets her time go by, but this time with the payment page open, and pays after all. The money has
      come in, so it must be applied or given back. The order says no to its transaction's try: the decision is Cancel, and
      after a cancelled payment a refund follows, as reliably as everything else.`);
    const { orderId } = await stage.placeOrder([TWO_TEA], true);
    const paymentId = await stage.askForPayment(orderId);
    await stage.says('order', `/orders/${orderId}`, 'status', 'CLOSED');
    await stage.capture(paymentId);
    await stage.says('payment', `/payments/${paymentId}`, 'status', 'REFUNDED');
    await stage.transactionIs(`pay-${paymentId}`, 'to be finished', isFinished);
    await stage.kubectl('get', 'otx', `pay-${paymentId}`, '--output', 'wide');
    await stage.showPayment(paymentId);
  },
};

export const SCENES: readonly Scene[] = [happyPath, outOfStock, participantKilled, unpaid, paidTooLate];
