/**
 * The demo's scenes, in the order in which they are played. Each starts from a system at rest and leaves it so.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { Stage } from './stage.ts';

export type Scene = { readonly title: string; readonly play: (stage: Stage) => Promise<void> };

const isFinished = ({ status }: OrderTransaction) => status?.finishedAt !== undefined;

const happyPath: Scene = {
  title: 'An order is placed',
  play: async (stage) => {
    stage.tell(`There are ten packets of tea. Ann orders two. The order service records the order and creates an
      OrderTransaction; the controller asks both participants to try, stores the decision, and has it confirmed.`);
    await stage.stock('tea', 10);
    const { transaction, orderId } = await stage.placeOrder([{ skuId: 'tea', quantity: 2, unitPriceCents: 450 }], true);
    await stage.transactionIs(transaction, 'to be finished', isFinished);
    await stage.kubectl('get', 'otx');
    stage.tell('The order waits for its payment, and two packets are frozen for it.');
    await stage.showOrder(orderId);
    await stage.showStock('tea');
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
    await stage.showOrder(orderId);
    await stage.showStock('tea');
  },
};

export const SCENES: readonly Scene[] = [happyPath, outOfStock, participantKilled];
