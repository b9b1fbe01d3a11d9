/**
 * Whatever is wanted of an order that waits for its payment, drawn by fast-check: two payments, closes, copies of both under other
 * names and in another namespace, what their messages and the warehouse's say, a customer who withdraws it or has received it, its
 * time being over, and creations made again after they have ended; again and again, late or early, one after another or at the same
 * moment. On a real database.
 *
 * Twice over it is looked at what comes of it: by rules that hold at every moment, and by a model that knows each answer.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Seen } from '../testing/one-after-another.ts';
import { OrderFixture, TOTAL_CENTS } from '../testing/order-fixture.ts';
import { OrderLife, type ContenderName, type Decision, type Intent } from '../testing/order-life.ts';
import type { OrderStatus } from './orders.ts';

/** No life begins later: a failure is made smaller for so long, and a slow machine sees fewer lives. */
const TIME_LIMIT_MS = 20_000;

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('life');
}, 30_000);
afterAll(() => fixture.close());

const copy = fc.nat({ max: 1 });
const payment = fc.constantFrom<'payment 1' | 'payment 2'>('payment 1', 'payment 2');
const contender = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.constantFrom<ContenderName>('payment 1', 'payment 2', 'close 1', 'close 2', 'close 3'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<ContenderName>('payment copy', 'payment twin', 'close copy', 'close twin'),
  },
);
const decision = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Decision>('confirm') },
  { weight: 1, arbitrary: fc.constant<Decision>('cancel') },
);
const intent = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('try'), of: contender }) },
  { weight: 9, arbitrary: fc.record({ kind: fc.constant('decide'), of: contender, wish: decision }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('captured'), of: payment, copy }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('shipped'), copy }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('receipt', 'withdrawal', 'overdue') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replayed') }) },
) satisfies fc.Arbitrary<Intent>;

/** Moments in which the one must not see the other half done, drawn more often than chance would. */
const clash: fc.Arbitrary<readonly Intent[]> = fc.oneof(
  fc.tuple(payment, decision, copy).map(([of, wish, each]): readonly Intent[] => [
    { kind: 'captured', of, copy: each },
    { kind: 'decide', of, wish },
  ]),
  fc
    .tuple(fc.constantFrom('overdue', 'withdrawal'), contender)
    .map(([kind, of]): readonly Intent[] => [{ kind }, { kind: 'try', of }]),
);

interface Plan {
  readonly secondAmountCents: number;
  readonly moments: readonly (readonly Intent[])[];
  /** How what is open at the end is decided. */
  readonly wishes: readonly Decision[];
}

const plan = (moment: fc.Arbitrary<readonly Intent[]>, momentsMax: number): fc.Arbitrary<Plan> =>
  fc.record({
    secondAmountCents: fc.oneof(
      { weight: 3, arbitrary: fc.constant(TOTAL_CENTS) },
      { weight: 1, arbitrary: fc.constant(TOTAL_CENTS - 1) },
    ),
    moments: fc.array(moment, { minLength: 1, maxLength: momentsMax, size: 'max' }),
    wishes: fc.array(decision, { minLength: 4, maxLength: 4 }),
  });

const oneByOne = plan(fc.tuple(intent), 25);
const together = plan(
  fc.oneof(
    { weight: 2, arbitrary: fc.array(intent, { minLength: 1, maxLength: 4, size: 'max' }) },
    { weight: 1, arbitrary: clash },
  ),
  9,
);

const NEXT: Readonly<Partial<Record<OrderStatus, readonly OrderStatus[]>>> = {
  INIT: ['PENDING_PAYMENT'],
  // Said once more where its closes come to nothing.
  PENDING_PAYMENT: ['PAYING', 'CLOSING', 'PENDING_PAYMENT'],
  PAYING: ['PAID', 'PENDING_PAYMENT'],
  CLOSING: ['CLOSED', 'PENDING_PAYMENT'],
  PAID: ['SHIPPED'],
  SHIPPED: ['RECEIVED'],
};

const inState = ({ branches }: Seen, state: string): readonly string[] =>
  Object.keys(branches).filter((transaction) => branches[transaction]?.state === state);

/** Who has won, as the status and the columns say it. */
function winnersOf({ namespace, status, paymentId, closing }: Seen): readonly (string | null)[] {
  switch (status) {
    case 'PAID':
    case 'SHIPPED':
    case 'RECEIVED':
      return [`${namespace}/pay-${String(paymentId)}`];
    case 'CLOSED':
      return [closing];
    case 'INIT':
    case 'PENDING_PAYMENT':
    case 'PAYING':
    case 'CLOSING':
    case 'CANCELLED':
      return [];
  }
}

/** What holds at every moment. */
function checkMoment(seen: Seen, before: Seen | undefined): void {
  const { status, heldBy, history } = seen;
  const statuses = history.map(([each]) => each);
  expect(statuses[0]).toBe('INIT');
  expect(statuses.at(-1)).toBe(status);
  for (const [index, next] of statuses.slice(1).entries()) {
    expect(NEXT[statuses[index] ?? 'CLOSED'] ?? []).toContain(next);
  }
  if (before !== undefined) expect(history.slice(0, before.history.length)).toEqual(before.history);
  // One holds it or has won, and nobody else believes so.
  expect(inState(seen, 'Tried')).toEqual(heldBy === null ? [] : [heldBy]);
  expect(heldBy !== null).toBe(status === 'PAYING' || status === 'CLOSING');
  expect(inState(seen, 'Confirmed')).toEqual(winnersOf(seen));
}

/** What holds once every transaction has ended. */
function checkEnd({ status, heldBy, closing, creations, branches }: Seen): void {
  expect(heldBy).toBeNull();
  expect(creations).toEqual({});
  if (status !== 'CLOSED') expect(closing).toBeNull();
  for (const { state } of Object.values(branches)) expect(['Confirmed', 'Cancelled']).toContain(state);
}

async function live({ secondAmountCents, moments, wishes }: Plan): Promise<void> {
  const life = await OrderLife.begin(fixture, { secondAmountCents });
  for (const intents of moments) await life.moment(intents);
  await life.end(wishes);
  await life.moment([{ kind: 'shipped', copy: 2 }]);
  await life.moment([{ kind: 'shipped', copy: 1 }, { kind: 'receipt' }]);
  await life.moment([{ kind: 'shipped', copy: 0 }, { kind: 'receipt' }]);
  if (life.model.status !== 'PENDING_PAYMENT') await life.moment([{ kind: 'withdrawal' }]);
  await life.again();
  for (const [index, seen] of life.seen.entries()) checkMoment(seen, life.seen[index - 1]);
  checkEnd(life.seen.at(-1)!);
  ends.add(life.model.status);
  replays += Object.keys(life.model.ended).length;
}

/** Where the lives have led. */
const ends = new Set<OrderStatus>();
/** Ended creations that were made again in the end. */
let replays = 0;

test.each([
  ['one after another', oneByOne, 50],
  ['at the same moment', together, 100],
])(
  'of all who want an order at most one has it, everyone is told so, and nobody changes it: %s',
  async (_, plans, numRuns) => {
    const untilMs = performance.now() + TIME_LIMIT_MS;
    const lives = fc.asyncProperty(plans, async (planned) => {
      if (performance.now() < untilMs) await live(planned);
    });
    await fc.assert(lives, { numRuns });
  },
);

test('orders were paid, closed and won by nobody', () => {
  expect(ends).toEqual(new Set(['RECEIVED', 'CLOSED', 'PENDING_PAYMENT']));
  expect(replays).toBeGreaterThan(0);
});

test('no deadlock came of any of this', async () => {
  // A connection's statistics are complete once it has ended.
  await fixture.service.stop();
  const { rows } = await fixture.service.database.query(
    'select deadlocks::integer from pg_stat_database where datname = current_database()',
  );
  expect(rows).toEqual([{ deadlocks: 0 }]);
});
