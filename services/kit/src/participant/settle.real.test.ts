/**
 * Settling by hand: the business and the fence row change together, and what comes late is harmless.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  barrier,
  openSeatService,
  OTHER_PATH,
  PAYLOAD,
  SEATS_AT_START,
  untilSomeoneWaits,
  type SeatService,
} from '../../testing/seat-service.ts';
import { settleCommand } from './settle-command.ts';
import { settle, type SettleOptions } from './settle.ts';

let seatService: SeatService;
beforeAll(async () => {
  seatService = await openSeatService();
}, 30_000);
afterAll(async () => {
  await seatService.close();
});
beforeEach(async () => {
  await seatService.pool.query('truncate ordertx_fence, reservations, told');
  await seatService.pool.query('update shows set free = $1', [SEATS_AT_START]);
});

const HELD = SEATS_AT_START - PAYLOAD.seats;
const TOO_MANY = { ...PAYLOAD, seats: SEATS_AT_START + 1 };

function settleAs(as: SettleOptions['as'], more: Partial<SettleOptions> = {}) {
  const transaction = { namespace: 'shop', name: 'book-b1' };
  return settle({
    pool: seatService.pool,
    branch: seatService.branch,
    transaction,
    as,
    reason: 'counted by hand',
    ...more,
  });
}
const settledReason = async () =>
  (await seatService.pool.query('select settled_reason from ordertx_fence')).rows[0]?.settled_reason as unknown;

describe('settling as Confirmed', () => {
  test('a tried branch runs its confirm; a late confirm is done, a late cancel alarms', async () => {
    await seatService.call('try');
    expect(await settleAs('Confirmed')).toEqual({ kind: 'settled', from: 'Tried' });
    expect(await seatService.reservation()).toBe('sold');
    expect(await settledReason()).toBe('counted by hand');
    expect((await seatService.told()).at(-1)).toMatchObject({
      operation: 'confirm',
      reason: 'Settled',
      detail: 'counted by hand',
    });
    expect(await seatService.call('confirm')).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await seatService.call('try')).toMatchObject({ status: 200, state: 'Confirmed', body: { held: 2 } });
    expect(await seatService.call('cancel')).toMatchObject({ status: 409, code: 'already-confirmed' });
  });

  test('a branch that was never called is tried and confirmed with the payload given; late calls reserve nothing more', async () => {
    expect(await settleAs('Confirmed', { payload: PAYLOAD })).toEqual({ kind: 'settled', from: 'None' });
    expect(await seatService.call('try')).toMatchObject({ status: 200, state: 'Confirmed', body: { held: 2 } });
    expect(await seatService.call('confirm')).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await seatService.freeSeats()).toBe(HELD);
    expect(await seatService.reservation()).toBe('sold');
  });

  test('a refused branch is tried again with what was refused, now that there is room', async () => {
    await seatService.call('try', { payload: TOO_MANY });
    await seatService.pool.query('update shows set free = 20');
    expect(await settleAs('Confirmed')).toEqual({ kind: 'settled', from: 'Refused' });
    expect(await seatService.freeSeats()).toBe(20 - TOO_MANY.seats);
  });

  test('a business no is reported and changes nothing', async () => {
    expect(await settleAs('Confirmed', { payload: TOO_MANY })).toMatchObject({
      kind: 'refused',
      detail: expect.stringContaining('fewer than'),
    });
    expect(await seatService.storedState()).toBeUndefined();
    await seatService.call('try', { payload: TOO_MANY });
    expect(await settleAs('Confirmed')).toMatchObject({ kind: 'refused' });
    expect(await seatService.storedState()).toBe('Refused');
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
  });

  test('a confirm that cannot be yet takes the try back as well', async () => {
    seatService.interruptAt('confirm', async () => ({
      kind: 'later',
      detail: 'the till is closed',
      retryAfterSeconds: 1,
    }));
    expect(await settleAs('Confirmed', { payload: PAYLOAD })).toEqual({ kind: 'later', detail: 'the till is closed' });
    expect(await seatService.storedState()).toBeUndefined();
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
  });

  test('without a payload where nothing was tried, or with another one than was tried, nothing happens', async () => {
    expect(await settleAs('Confirmed')).toMatchObject({ kind: 'unfit', detail: expect.stringContaining('--payload') });
    await seatService.call('try');
    expect(await settleAs('Confirmed', { payload: { ...PAYLOAD, seats: 1 } })).toMatchObject({ kind: 'unfit' });
    expect(await seatService.storedState()).toBe('Tried');
  });
});

describe('settling as Cancelled', () => {
  test('a tried branch runs its cancel; a late cancel is done, a late confirm alarms', async () => {
    await seatService.call('try');
    expect(await settleAs('Cancelled')).toEqual({ kind: 'settled', from: 'Tried' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
    expect(await seatService.call('cancel')).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.call('confirm')).toMatchObject({ status: 409, code: 'already-cancelled' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
  });

  test('a branch that was never called undoes nothing, and a late try reserves nothing', async () => {
    expect(await settleAs('Cancelled')).toEqual({ kind: 'settled', from: 'None' });
    expect(await seatService.told()).toMatchObject([{ operation: 'cancel', tried: false }]);
    expect(await seatService.call('try')).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
  });

  test('a refused branch undoes nothing', async () => {
    await seatService.call('try', { payload: TOO_MANY });
    expect(await settleAs('Cancelled')).toEqual({ kind: 'settled', from: 'Refused' });
    expect(await seatService.told()).toMatchObject([{ operation: 'cancel', tried: false, seats: TOO_MANY.seats }]);
  });
});

test('what has ended the same way is left as it is, what has ended the other way is an error', async () => {
  await seatService.call('try');
  await seatService.call('confirm');
  expect(await settleAs('Confirmed')).toEqual({ kind: 'already' });
  expect(await settleAs('Cancelled')).toMatchObject({ kind: 'contrary' });
  await seatService.pool.query('truncate ordertx_fence');
  await seatService.call('cancel');
  expect(await settleAs('Cancelled')).toEqual({ kind: 'already' });
  expect(await settleAs('Confirmed', { payload: PAYLOAD })).toMatchObject({ kind: 'contrary' });
  expect(await settledReason()).toBeNull();
});

test('a settle waits for the call that is at work, and finds what it left', async () => {
  const hold = barrier();
  seatService.interruptAt('try', hold.stop);
  const trying = seatService.call('try');
  await hold.reached;
  const settling = settleAs('Cancelled');
  await untilSomeoneWaits(seatService.pool);
  hold.release();
  expect(await trying).toMatchObject({ status: 200, state: 'Tried' });
  expect(await settling).toEqual({ kind: 'settled', from: 'Tried' });
  expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
});

describe('the command', () => {
  async function run(...args: string[]) {
    const lines: string[] = [];
    const branches = [seatService.branch, { ...seatService.branch, path: OTHER_PATH }];
    const code = await settleCommand({
      args,
      pool: seatService.pool,
      branches,
      print: (line) => void lines.push(line),
    });
    return { code, text: lines.join('\n') };
  }
  const GOOD = [
    '--transaction',
    'shop/book-b1',
    '--branch',
    'seats',
    '--as',
    'Confirmed',
    '--reason',
    'counted by hand',
  ];
  const without = (name: string) =>
    GOOD.filter((_, index) => GOOD.indexOf(name) !== index && GOOD.indexOf(name) + 1 !== index);

  test('finds the path of a branch that has a row, says what it did and what comes next', async () => {
    await seatService.call('try');
    const { code, text } = await run(...GOOD);
    expect({ code, state: await seatService.storedState() }).toEqual({ code: 0, state: 'Confirmed' });
    expect(text).toBe(
      'branch seats of shop/book-b1 is Confirmed now (it was Tried); add the resolution to the transaction next',
    );
    expect(await run(...GOOD)).toMatchObject({ code: 0, text: expect.stringContaining('was Confirmed already') });
  });

  test('takes path and payload for a branch that has none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'settle-'));
    const file = join(folder, 'payload.json');
    await writeFile(file, JSON.stringify(PAYLOAD));
    expect(await run(...GOOD)).toMatchObject({
      code: 2,
      text: expect.stringContaining('--path must be one of: /tcc/book-seats, /tcc/swap-seats'),
    });
    expect(await run(...GOOD, '--path', '/tcc/book-seats')).toMatchObject({
      code: 1,
      text: expect.stringContaining('--payload'),
    });
    expect(await run(...GOOD, '--path', '/tcc/book-seats', '--payload', file)).toMatchObject({ code: 0 });
    expect(await seatService.reservation()).toBe('sold');
    await rm(folder, { recursive: true });
  });

  test.each(['--transaction', '--branch', '--as', '--reason'])(
    'without %s it says so and changes nothing',
    async (name) => {
      await seatService.call('try');
      expect(await run(...without(name))).toMatchObject({
        code: 2,
        text: expect.stringMatching(new RegExp(`${name} must[^]*usage: settle`)),
      });
      expect(await seatService.storedState()).toBe('Tried');
    },
  );

  test('says that nothing is known when the database breaks off, and works when it is run again', async () => {
    await seatService.call('try');
    seatService.interruptAt('confirm', async (client) => {
      await client.query('select pg_terminate_backend(pg_backend_pid())');
    });
    expect(await run(...GOOD)).toMatchObject({ code: 1, text: expect.stringContaining('run the same command again') });
    expect(await seatService.storedState()).toBe('Tried');
    expect(await run(...GOOD)).toMatchObject({ code: 0 });
  });

  test('does not take what it does not know', async () => {
    expect(await run(...GOOD, '--force')).toMatchObject({ code: 2, text: expect.stringContaining('--force') });
    expect(await run(...GOOD, '--payload', '/nowhere.json', '--path', '/tcc/book-seats')).toMatchObject({ code: 2 });
  });
});
