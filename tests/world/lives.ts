/**
 * Customers' lives: every way an order can go, lived by people who repeat what was not answered.
 *
 * What becomes of an order may depend on what is killed meanwhile (a payment that comes late is refunded); that it becomes exactly
 * one thing is what the invariants say afterwards.
 */
import type { Customers } from './customers.ts';

const TEA = { skuId: 'tea', quantity: 2, unitPriceCents: 1_250 };
const COFFEE = { skuId: 'coffee', quantity: 1, unitPriceCents: 990 };
/** Of which there is none. */
const GOLD = { skuId: 'gold', quantity: 1, unitPriceCents: 100_000 };

type Life = (customers: Customers, userId: string) => Promise<string>;

async function orderedAndDecided(customers: Customers, userId: string): Promise<string> {
  const orderId = await customers.order([TEA, COFFEE], userId);
  await customers.statusIs(orderId, 'PENDING_PAYMENT', 'CANCELLED', 'CLOSING', 'CLOSED');
  return orderId;
}

async function payOnce(customers: Customers, orderId: string, amountCents?: number): Promise<void> {
  const paymentId = await customers.paymentLink(orderId);
  if (paymentId !== undefined) await customers.capture(paymentId, amountCents);
}

const pays: Life = async (customers, userId) => {
  const orderId = await orderedAndDecided(customers, userId);
  await payOnce(customers, orderId);
  return orderId;
};

const paysTwiceAtOnce: Life = async (customers, userId) => {
  const orderId = await orderedAndDecided(customers, userId);
  await Promise.all([payOnce(customers, orderId), payOnce(customers, orderId)]);
  return orderId;
};

const paysTooLittleFirst: Life = async (customers, userId) => {
  const orderId = await orderedAndDecided(customers, userId);
  await payOnce(customers, orderId, 1);
  await customers.statusIs(orderId, 'PENDING_PAYMENT', 'CANCELLED', 'CLOSING', 'CLOSED');
  await payOnce(customers, orderId);
  return orderId;
};

const withdraws: Life = async (customers, userId) => {
  const orderId = await orderedAndDecided(customers, userId);
  await customers.insist(`order ${orderId} to be withdrawn`, () => customers.withdraw(orderId, 0));
  return orderId;
};

const paysAndWithdrawsAtOnce: Life = async (customers, userId) => {
  const orderId = await orderedAndDecided(customers, userId);
  const paymentId = await customers.paymentLink(orderId);
  await Promise.all([
    paymentId === undefined ? undefined : customers.capture(paymentId),
    customers.insist(`order ${orderId} to be withdrawn or not`, () => customers.withdraw(orderId, 0)),
  ]);
  return orderId;
};

/** Until it is in the customer's hands. */
const paysAndReceives: Life = async (customers, userId) => {
  const orderId = await orderedAndDecided(customers, userId);
  await payOnce(customers, orderId);
  if ((await customers.statusIs(orderId, 'PAID', 'CANCELLED', 'CLOSED')) !== 'PAID') return orderId;
  await customers.insist(
    `order ${orderId} to be shipped`,
    () => customers.ship(orderId),
    ({ status }) => status === 200,
  );
  await customers.statusIs(orderId, 'SHIPPED');
  await customers.receive(orderId);
  return orderId;
};

const neverPays: Life = (customers, userId) => customers.order([TEA], userId);
const wantsTooMuch: Life = (customers, userId) => customers.order([TEA, GOLD], userId);

/** In turn: more of those that pay, because most messages follow a payment. */
const LIVES: readonly Life[] = [
  ...[pays, paysTwiceAtOnce, pays, withdraws, paysTooLittleFirst],
  ...[pays, paysAndWithdrawsAtOnce, neverPays, pays, wantsTooMuch],
];

/** Those, and among them some that are shipped and received. */
const LIVES_TO_THE_HAND: readonly Life[] = LIVES.flatMap((life, index) =>
  index % 3 === 0 ? [paysAndReceives, life] : [life],
);

/** One life of every kind in turn, shipments among them; resolves to its order's id when it has done what it wanted to do. */
export function liveToTheHand(customers: Customers, number: number): Promise<string> {
  return (LIVES_TO_THE_HAND[number % LIVES_TO_THE_HAND.length] ?? paysAndReceives)(customers, `u${number % 7}`);
}

/** What the lives need to be there. */
export const STOCK = { tea: 100_000, coffee: 100_000, gold: 0 };

/** Begins `count` lives at once; resolves to their order ids when each has done what it wanted to do. */
export function live(customers: Customers, count: number, from = 0): Promise<readonly string[]> {
  const numbers = Array.from({ length: count }, (_, index) => from + index);
  return Promise.all(numbers.map((number) => (LIVES[number % LIVES.length] ?? pays)(customers, `u${number % 7}`)));
}
