/**
 * Payments, closings and creations side by side, on a real database.
 *
 * Here the test is the controller, and the order service that would have decided: inventory has to wait, whoever is first.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { BranchAnswer } from '../../../../tests/services/call-branch.ts';
import { TEST_NAMESPACE, TWIN_NAMESPACE } from '../../../../tests/services/running.ts';
import { until } from '../../../kit/testing/until.ts';
import { openStockroom, type Steps, type Stockroom, type TestOrder, type Wanted } from '../../testing/stockroom.ts';

let room: Stockroom;

beforeAll(async () => {
  room = await openStockroom();
});
afterAll(() => room.close());

const WAITS = 'another payment or closing of the order is under way';

type Kind = 'payment' | 'closing';
const STOCK_AFTER = {
  payment: { sellable: 6, frozen: 0, sold: 4 },
  closing: { sellable: 10, frozen: 0, sold: 0 },
} as const satisfies Record<Kind, unknown>;

describe.each<{ first: Kind; second: Kind }>([
  { first: 'payment', second: 'closing' },
  { first: 'closing', second: 'payment' },
  { first: 'payment', second: 'payment' },
  { first: 'closing', second: 'closing' },
])('a $second that comes while a $first is under way', ({ first, second }) => {
  test('waits, and is refused once the first one is confirmed', async () => {
    const order = await room.placedFrom(10, { [`confirmed-${first}-${second}`]: 4 });
    const [one, two] = [order[first](), order[second]()];
    await one.try();
    const waits = { status: 425, state: 'None', code: undefined, detail: WAITS };
    expect(await two.try()).toEqual(waits);
    expect(await two.try()).toEqual(waits);
    await one.confirm();
    expect(await two.try()).toMatchObject({ status: 409, state: 'Refused', code: 'refused' });
    expect(await two.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await room.stockOf(`confirmed-${first}-${second}`)).toMatchObject(STOCK_AFTER[first]);
    expect(await room.reservationOf(order.orderId)).toMatchObject({ ended_by: one.transaction });
  });

  test('waits, and has its way once the first one is cancelled', async () => {
    const order = await room.placedFrom(10, { [`cancelled-${first}-${second}`]: 4 });
    const [one, two] = [order[first](), order[second]()];
    await one.try();
    expect(await two.try()).toMatchObject({ status: 425 });
    await one.cancel();
    expect(await two.try()).toMatchObject({ status: 200, state: 'Tried' });
    expect(await two.confirm()).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await room.stockOf(`cancelled-${first}-${second}`)).toMatchObject(STOCK_AFTER[second]);
    expect(await room.reservationOf(order.orderId)).toMatchObject({ ended_by: two.transaction });
  });

  test('at the very same time: one of the two is tried, the other one waits', async () => {
    const order = await room.placedFrom(100, { [`same-time-${first}-${second}`]: 4 });
    const branches = [order[first](), order[second]()];
    const answers = await Promise.all(branches.map((branch) => branch.try()));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 425]);
    const winner = branches[answers.findIndex(({ status }) => status === 200)];
    expect(await room.reservationOf(order.orderId)).toMatchObject({ marked_by: winner?.transaction });
  });

  test('in the middle of its confirm waits for the row and then sees that it is over', async () => {
    const sku = `middle-${first}-${second}`;
    const order = await room.placedFrom(10, { [sku]: 4 });
    const [one, two] = [order[first](), order[second]()];
    await one.try();
    const { confirming, trying } = await room.holding(sku, async () => {
      const confirming = one.confirm();
      await room.untilWaiting(1);
      const trying = two.try();
      await room.untilWaiting(2);
      return { confirming, trying };
    });
    expect(await confirming).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await trying).toMatchObject({ status: 409, state: 'Refused' });
    expect(await room.stockOf(sku)).toMatchObject(STOCK_AFTER[first]);
  });
});

describe('stock rows are locked in the order of their SKU ids, whatever the order of the lines', () => {
  const tried = async (branch: Steps): Promise<Steps> => {
    expect(await branch.try()).toMatchObject({ status: 200 });
    return branch;
  };
  test.each<[string, string, (from: Stockroom, wanted: Wanted) => Promise<() => Promise<BranchAnswer>>]>([
    ['freezes', 'freeze', async (from, wanted) => from.order(wanted).creation.try],
    ['returns a freeze', 'unfreeze', async (from, wanted) => (await tried(from.order(wanted).creation)).cancel],
    ['sells', 'sell', async (from, wanted) => (await tried((await from.placed(wanted)).payment())).confirm],
    ['returns', 'return', async (from, wanted) => (await tried((await from.placed(wanted)).closing())).confirm],
  ])('by what %s', async (_, word, prepare) => {
    const [first, middle, last] = [`${word}-1`, `${word}-2`, `${word}-3`];
    for (const sku of [first, middle, last]) await room.stock(sku, 10);
    const move = await prepare(room, { [last]: 1, [middle]: 1, [first]: 1 });
    const { moving, unlocked } = await room.holding(middle, async () => {
      const moving = move();
      await room.untilWaiting(1);
      return { moving, unlocked: await room.unlocked(first, middle, last) };
    });
    expect(unlocked).toEqual([last]);
    expect(await moving).toMatchObject({ status: 200 });
  });
});

test('a second creation of an order holds nothing that the confirm of its payment waits for', async () => {
  const order = await room.placedFrom(5, { near: 1, far: 1 });
  const payment = order.payment();
  await payment.try();
  const again = room.order({ near: 1 }, order.orderId, `${TWIN_NAMESPACE}/create-${order.orderId}`);
  // The confirm has the reservation and waits for its first SKU, because SKUs are locked in the order of their ids.
  const { confirming, trying } = await room.holding('far', async () => {
    const confirming = payment.confirm();
    await room.untilWaiting(1);
    const trying = again.creation.try();
    await room.untilWaiting(2);
    return { confirming, trying };
  });
  expect(await confirming).toMatchObject({ status: 200, state: 'Confirmed' });
  expect(await trying).toMatchObject({ status: 409, state: 'Refused' });
  expect(await room.stockOf('near')).toMatchObject({ sellable: 4, frozen: 0, sold: 1 });
});

describe('many orders that share SKUs', () => {
  const SKUS = ['shelf-1', 'shelf-2', 'shelf-3', 'shelf-4', 'shelf-5', 'shelf-6'];
  const STOCKED = 100_000;

  type Decision = 'confirm' | 'cancel';
  /** What the test has in store for one order, its steps beginning all at once. */
  interface Fate {
    readonly lines: readonly { readonly skuId: string; readonly quantity: number }[];
    readonly creation: Decision;
    /** Another transaction tries to create the same order. */
    readonly createdTwice: boolean;
    readonly attempts: readonly { readonly kind: Kind; readonly decision: Decision }[];
  }
  const decision = fc.constantFrom<Decision>('confirm', 'cancel');
  const fate: fc.Arbitrary<Fate> = fc.record({
    lines: fc.uniqueArray(fc.record({ skuId: fc.constantFrom(...SKUS), quantity: fc.integer({ min: 1, max: 5 }) }), {
      selector: ({ skuId }) => skuId,
      minLength: 1,
    }),
    creation: fc.oneof({ weight: 4, arbitrary: fc.constant<Decision>('confirm') }, { weight: 1, arbitrary: decision }),
    createdTwice: fc.boolean(),
    attempts: fc.array(fc.record({ kind: fc.constantFrom<Kind>('payment', 'closing'), decision }), { maxLength: 3 }),
  });

  type State = 'FROZEN' | 'SOLD' | 'RETURNED';
  interface Outcome {
    readonly orderId: string;
    readonly wanted: Wanted;
    readonly state: State;
  }

  /** Asks until the answer is another one than "later". */
  async function answered(call: () => Promise<BranchAnswer>): Promise<BranchAnswer> {
    let answer = await call();
    await until(`an answer other than 425: ${answer.detail ?? ''}`, async () => {
      if (answer.status === 425) answer = await call();
      return answer.status !== 425;
    });
    return answer;
  }

  /** True when it was tried and confirmed. */
  async function attempt(branch: Steps, decided: Decision): Promise<boolean> {
    const tried = await answered(branch.try);
    if (tried.status !== 200) {
      expect(tried).toMatchObject({ status: 409, state: 'Refused' });
      expect(await branch.cancel()).toMatchObject({ status: 200, state: 'Cancelled' });
      return false;
    }
    expect(await branch[decided]()).toMatchObject({ status: 200 });
    return decided === 'confirm';
  }

  async function createdTwice({ orderId }: TestOrder, wanted: Wanted, creation: Decision): Promise<void> {
    const again = `${TEST_NAMESPACE}/create-${orderId}-again`;
    // Where the order's own is cancelled, one in another namespace may reserve (copied-creation.real.test.ts).
    const copies = creation === 'confirm' ? [again, `${TWIN_NAMESPACE}/create-${orderId}`] : [again];
    for (const copy of copies) expect(await attempt(room.order(wanted, orderId, copy).creation, 'confirm')).toBe(false);
  }

  async function live(planned: Fate): Promise<Outcome> {
    const wanted = Object.fromEntries(planned.lines.map(({ skuId, quantity }) => [skuId, quantity]));
    const order = room.order(wanted);
    expect(await order.creation.try()).toMatchObject({ status: 200 });
    const [confirmed] = await Promise.all([
      Promise.all(planned.attempts.map(({ kind, decision: decided }) => attempt(order[kind](), decided))),
      order.creation[planned.creation](),
      planned.createdTwice && createdTwice(order, wanted, planned.creation),
    ]);
    const winners = planned.attempts.filter((_, index) => confirmed[index]);
    const wished = planned.attempts.some(({ decision: decided }) => decided === 'confirm');
    // Who waits gets its turn: of those that would be confirmed exactly one is, if there is anything to win.
    expect(winners).toHaveLength(wished && planned.creation === 'confirm' ? 1 : 0);
    if (planned.creation === 'cancel') return { orderId: order.orderId, wanted, state: 'RETURNED' };
    const states = { payment: 'SOLD', closing: 'RETURNED' } as const;
    return { orderId: order.orderId, wanted, state: winners[0] === undefined ? 'FROZEN' : states[winners[0].kind] };
  }

  test('end one by one as they were decided, and every unit is where its order says', async () => {
    for (const sku of SKUS) await room.stock(sku, STOCKED);
    const outcomes: Outcome[] = [];
    const unitsIn = (state: State, sku: string): number =>
      outcomes.filter((outcome) => outcome.state === state).reduce((sum, { wanted }) => sum + (wanted[sku] ?? 0), 0);
    const crowd = fc.asyncProperty(fc.array(fate, { minLength: 25, maxLength: 30 }), async (fates) => {
      outcomes.push(...(await Promise.all(fates.map(live))));
      for (const { orderId, wanted, state } of outcomes) {
        expect(await room.reservationOf(orderId)).toMatchObject({ state, marked_by: null, lines: wanted });
      }
      for (const sku of SKUS) {
        const [frozen, sold] = [unitsIn('FROZEN', sku), unitsIn('SOLD', sku)];
        const expected = { skuId: sku, stocked: STOCKED, sellable: STOCKED - frozen - sold, frozen, sold };
        expect(await room.stockOf(sku)).toEqual(expected);
      }
    });
    // What a smaller crowd would do another time says nothing about this one, so nothing is shrunk.
    await fc.assert(crowd, { numRuns: 8, endOnFailure: true });
  });
});

test('no deadlock came of any of this', async () => {
  expect(await room.deadlocks()).toBe(0);
});
