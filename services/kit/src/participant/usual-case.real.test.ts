/**
 * A branch that says what its try and confirm usually come to: the fence's row and the business in one statement, and in every other case
 * what a branch without that does.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  openSeatService,
  OTHER_PATH,
  PATH,
  PAYLOAD,
  SEATS_AT_START,
  untilSomeoneWaits,
  type CallOptions,
  type SeatService,
} from '../../testing/seat-service.ts';

let usual: SeatService;
let stepwise: SeatService;
beforeAll(async () => {
  [usual, stepwise] = await Promise.all([openSeatService({ usual: true }), openSeatService()]);
}, 30_000);
afterAll(async () => {
  await Promise.all([usual.close(), stepwise.close()]);
});
const begin = async (seatService: SeatService): Promise<void> => {
  await seatService.pool.query('truncate ordertx_fence, reservations, told');
  await seatService.pool.query('update shows set free = $1', [SEATS_AT_START]);
};
beforeEach(() => begin(usual));

const HELD = SEATS_AT_START - PAYLOAD.seats;

/** Everything but when it was: the rows of the fence, and what the business has made of the calls. */
async function world(seatService: SeatService): Promise<unknown> {
  const { pool } = seatService;
  const fence = await pool.query(
    'select transaction, path, state, digest, payload, refusal, settled_reason from ordertx_fence order by transaction',
  );
  const reservations = await pool.query('select * from reservations order by transaction');
  return { fence: fence.rows, reservations: reservations.rows, free: await seatService.freeSeats() };
}

test('try and confirm of a new branch are each one statement, and leave what they leave step by step', async () => {
  await begin(stepwise);
  const before = usual.usual.length;
  expect(await usual.call('try')).toMatchObject({ status: 200, state: 'Tried' });
  expect(await usual.freeSeats()).toBe(HELD);
  expect(await usual.call('confirm')).toMatchObject({ status: 200, state: 'Confirmed' });
  expect(usual.usual.slice(before)).toEqual(['try', 'confirm']);
  expect(await usual.told()).toEqual([]);
  await stepwise.call('try');
  await stepwise.call('confirm');
  expect(await world(usual)).toEqual(await world(stepwise));
});

test('seats that are gone between the look and the lock are refused, and nothing of the try is kept but that', async () => {
  const other = await usual.pool.connect();
  try {
    await other.query('begin');
    await other.query('update shows set free = 1');
    const trying = usual.call('try');
    await untilSomeoneWaits(usual.pool);
    await other.query('commit');
    expect(await trying).toMatchObject({ status: 409, state: 'Refused', detail: 'hamlet has fewer than 2 free seats' });
  } finally {
    other.release();
  }
  expect(await usual.storedState()).toBe('Refused');
  expect(await usual.reservation()).toBeUndefined();
  expect(await usual.freeSeats()).toBe(1);
});

test('a confirm whose business is not as its try has left it confirms nothing, and is asked step by step', async () => {
  await usual.call('try');
  await usual.pool.query('delete from reservations');
  const before = usual.usual.length;
  await usual.call('confirm');
  expect(usual.usual.slice(before)).toEqual([]);
  expect((await usual.told()).map(({ operation }) => operation)).toEqual(['confirm']);
});

test('many calls of every kind at once end in one state that agrees with the seats', async () => {
  for (let round = 1; round <= 10; round += 1) {
    await begin(usual);
    const operations = ['try', 'confirm', 'cancel', 'try', 'confirm', 'try', 'cancel'] as const;
    const answers = await Promise.all(operations.map((operation) => usual.call(operation)));
    for (const { status } of answers) expect([200, 409]).toContain(status);
    const state = await usual.storedState();
    expect(['Cancelled', 'Confirmed']).toContain(state);
    expect(await usual.freeSeats()).toBe(state === 'Cancelled' ? SEATS_AT_START : HELD);
    expect(await usual.reservation()).toBe(state === 'Cancelled' ? undefined : 'sold');
  }
});

interface Act extends CallOptions {
  readonly operation: 'try' | 'confirm' | 'cancel';
}
const act: fc.Arbitrary<Act> = fc.record({
  operation: fc.constantFrom('try', 'confirm', 'cancel'),
  transaction: fc.constantFrom('shop/book-b1', 'shop/book-b2', 'shop/book-b3'),
  // Of ten seats: two orders for four leave too few for the third.
  payload: fc.constantFrom({ show: 'hamlet', seats: 4 }, { show: 'hamlet', seats: 5 }, { show: 'hamlet', seats: 0 }),
  path: fc.constantFrom(PATH, PATH, PATH, OTHER_PATH),
});

test('whatever is called in whatever order, the answers and the data are those of a branch that goes step by step', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 12 }), async (acts) => {
      await Promise.all([begin(usual), begin(stepwise)]);
      for (const { operation, ...options } of acts) {
        const [one, other] = await Promise.all([usual.call(operation, options), stepwise.call(operation, options)]);
        const heard = ({ status, state, code, detail }: typeof one) => ({ status, state, code, detail });
        expect(heard(one)).toEqual(heard(other));
      }
      expect(await world(usual)).toEqual(await world(stepwise));
    }),
    { numRuns: 60 },
  );
});
