/**
 * The controller carries a transaction between a service of the shop and the example in Python, and notices no difference.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openShop, type Shop } from '../world/shop.ts';
import { CREDIT, startPythonParticipant, WELCOME_CENTS, type PythonParticipant } from './python-participant.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const FLOW = 'create-order-on-credit';
const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 450 };

let shop: Shop;
let python: PythonParticipant;
beforeAll(async () => {
  shop = await openShop('credit');
  python = await startPythonParticipant(shop.namespace);
  const origins = { inventory: shop.services.inventory.url, [CREDIT]: python.url };
  await shop.putFlow(FLOW, { origins });
  await shop.startController({ allowEndpoints: Object.values(origins) });
  await shop.stock('tea', 10);
}, SETUP_MS);
afterAll(async () => {
  await shop.close();
  await python.stop();
}, TEST_MS);

test(
  'an order that stock and credit are enough for is confirmed by both',
  async () => {
    const { status } = await shop.final((await shop.begin(FLOW, [TEA])).name);
    expect(status).toMatchObject({ phase: 'Succeeded', decision: 'Confirm' });
    expect(status?.branches?.map(({ name, state }) => [name, state])).toEqual([
      ['inventory', 'Confirmed'],
      [CREDIT, 'Confirmed'],
    ]);
    expect(await shop.stockOf('tea')).toMatchObject({ sellable: 8, frozen: 2 });
  },
  TEST_MS,
);

test(
  'an order that is too dear for the credit gives the stock back, and people read why in its own words',
  async () => {
    const { status } = await shop.final((await shop.begin(FLOW, [{ ...TEA, unitPriceCents: WELCOME_CENTS }])).name);
    expect(status).toMatchObject({ phase: 'Cancelled', decision: 'Cancel', decisionReason: 'Refused' });
    expect(status?.message).toBe('credit refused: Customer u1 has less than 20000.00 of store credit left.');
    expect(await shop.stockOf('tea')).toMatchObject({ sellable: 8, frozen: 2 });
  },
  TEST_MS,
);
