/**
 * The fence's 15 cells against a real Postgres, each named after the anomaly it stands against.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { sumOf } from '../../../../tests/world/prometheus-text.ts';
import { openSeatService, PATH, PAYLOAD, SEATS_AT_START, type SeatService } from '../../testing/seat-service.ts';
import { OLDEST_OPEN } from './metrics.ts';

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
const operationsTold = async () => (await seatService.told()).map(({ operation }) => operation);

describe('a branch that was never called', () => {
  test('is reserved by its try, and the answer is stored', async () => {
    const answer = await seatService.call('try');
    expect(answer).toMatchObject({ status: 200, state: 'Tried', body: { held: 2 } });
    expect(await seatService.storedState()).toBe('Tried');
    expect(await seatService.reservation()).toBe('held');
    expect(await seatService.freeSeats()).toBe(HELD);
  });

  test('is refused by its try for a business reason: the row stays, the work is undone', async () => {
    const answer = await seatService.call('try', { payload: TOO_MANY });
    expect(answer).toMatchObject({
      status: 409,
      state: 'Refused',
      code: 'refused',
      detail: 'hamlet has fewer than 11 free seats',
    });
    expect(answer.headers.get('content-type')).toMatch('application/problem+json');
    expect(await seatService.storedState()).toBe('Refused');
    expect(await seatService.reservation()).toBeUndefined();
    expect(await seatService.told()).toEqual([]);
  });

  test('is not confirmed (no-try): nothing runs and nothing is stored', async () => {
    expect(await seatService.call('confirm')).toMatchObject({ status: 409, state: 'None', code: 'no-try' });
    expect(await seatService.storedState()).toBeUndefined();
    expect(await operationsTold()).toEqual([]);
  });

  test('is cancelled without undoing anything (empty rollback), and the service is told so', async () => {
    const answer = await seatService.call('cancel', { reason: 'Refused', detail: 'Lager: kein Überschuss — 売り切れ' });
    expect(answer).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.storedState()).toBe('Cancelled');
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
    expect(await seatService.told()).toEqual([
      { operation: 'cancel', tried: false, seats: 2, reason: 'Refused', detail: 'Lager: kein Überschuss — 売り切れ' },
    ]);
  });
});

describe('a try that has somebody asked', () => {
  test('holds nothing meanwhile, and is tried once nothing speaks against it', async () => {
    const meanwhile: unknown[] = [];
    seatService.askAtTry(async () => {
      meanwhile.push(await seatService.storedState(), await seatService.freeSeats(), seatService.pool.idleCount);
      return undefined;
    });
    expect(await seatService.call('try')).toMatchObject({ status: 200, state: 'Tried', body: { held: 2 } });
    expect(meanwhile).toEqual([undefined, SEATS_AT_START, seatService.pool.totalCount]);
    expect([await seatService.storedState(), await seatService.freeSeats()]).toEqual(['Tried', HELD]);
    expect(await operationsTold()).toEqual(['try']);
  });

  test('is refused for good by what was heard, and reserves nothing', async () => {
    seatService.askAtTry(async () => ({ kind: 'refused', detail: 'nobody has paid' }));
    const refused = { status: 409, state: 'Refused', code: 'refused', detail: 'nobody has paid' };
    expect(await seatService.call('try')).toMatchObject(refused);
    expect(await seatService.call('try')).toMatchObject(refused);
    expect([await seatService.storedState(), await seatService.freeSeats()]).toEqual(['Refused', SEATS_AT_START]);
  });

  test('is asked to come again while nobody answers, and leaves nothing', async () => {
    seatService.askAtTry(async () => ({ kind: 'later', detail: 'nobody answers', retryAfterSeconds: 3 }));
    const answer = await seatService.call('try');
    expect(answer).toMatchObject({ status: 425, state: 'None', detail: 'nobody answers' });
    expect(answer.headers.get('retry-after')).toBe('3');
    expect(await seatService.storedState()).toBeUndefined();
  });

  test('is answered as cancelled when a cancel has come while somebody was asked', async () => {
    seatService.askAtTry(async () => {
      await seatService.call('cancel');
      return undefined;
    });
    expect(await seatService.call('try')).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
  });

  test('is not asked for another time: a branch that asks without end is a fault', async () => {
    for (let times = 0; times < 2; times += 1) seatService.askAtTry(async () => undefined);
    expect(await seatService.call('try')).toMatchObject({ status: 500 });
    expect(await seatService.storedState()).toBeUndefined();
  });
});

describe('a tried branch', () => {
  beforeEach(async () => {
    await seatService.call('try');
  });

  test('replays its answer to a repeated try and reserves once (idempotence)', async () => {
    expect(await seatService.call('try')).toMatchObject({ status: 200, state: 'Tried', body: { held: 2 } });
    expect(await seatService.freeSeats()).toBe(HELD);
    expect(await operationsTold()).toEqual(['try']);
  });

  test('is confirmed', async () => {
    expect(await seatService.call('confirm')).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await seatService.storedState()).toBe('Confirmed');
    expect(await seatService.reservation()).toBe('sold');
  });

  test('is cancelled, and what was reserved is free again', async () => {
    expect(await seatService.call('cancel')).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.reservation()).toBeUndefined();
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
    expect((await seatService.told()).at(-1)).toMatchObject({ operation: 'cancel', tried: true });
  });
});

describe('a refused branch', () => {
  beforeEach(async () => {
    await seatService.call('try', { payload: TOO_MANY });
  });

  test('replays its refusal, also when there would be room by now', async () => {
    await seatService.pool.query('update shows set free = 100');
    const answer = await seatService.call('try', { payload: TOO_MANY });
    expect(answer).toMatchObject({
      status: 409,
      state: 'Refused',
      code: 'refused',
      detail: 'hamlet has fewer than 11 free seats',
    });
    expect(await seatService.freeSeats()).toBe(100);
  });

  test('is not confirmed: the confirm hears why, and nothing runs', async () => {
    const answer = await seatService.call('confirm', { payload: TOO_MANY });
    expect(answer).toMatchObject({
      status: 409,
      state: 'Refused',
      code: 'refused',
      detail: 'hamlet has fewer than 11 free seats',
    });
    expect(await operationsTold()).toEqual([]);
    expect(await seatService.storedState()).toBe('Refused');
  });

  test('is cancelled like one that was never tried', async () => {
    expect(await seatService.call('cancel', { payload: TOO_MANY })).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.storedState()).toBe('Cancelled');
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
    expect(await seatService.told()).toMatchObject([{ operation: 'cancel', tried: false }]);
  });
});

describe('a confirmed branch', () => {
  beforeEach(async () => {
    await seatService.call('try');
    await seatService.call('confirm');
  });

  test('replays the answer of its try to a late try and reserves nothing more', async () => {
    expect(await seatService.call('try')).toMatchObject({ status: 200, state: 'Confirmed', body: { held: 2 } });
    expect(await seatService.freeSeats()).toBe(HELD);
  });

  test('is confirmed again without doing anything (idempotence)', async () => {
    expect(await seatService.call('confirm')).toMatchObject({ status: 200, state: 'Confirmed' });
    expect(await operationsTold()).toEqual(['try', 'confirm']);
  });

  test('is not cancelled (already-confirmed), and someone is alarmed', async () => {
    expect(await seatService.call('cancel')).toMatchObject({
      status: 409,
      state: 'Confirmed',
      code: 'already-confirmed',
    });
    expect(await seatService.reservation()).toBe('sold');
    expect(await seatService.freeSeats()).toBe(HELD);
    expect(seatService.logLines.at(-1)).toMatchObject({
      level: 'error',
      code: 'already-confirmed',
      transaction: 'shop/book-b1',
    });
  });
});

describe('a cancelled branch', () => {
  test('reserves nothing for a try that comes after the cancel (suspension)', async () => {
    await seatService.call('cancel');
    expect(await seatService.call('try')).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await seatService.reservation()).toBeUndefined();
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
  });

  test('reserves nothing for a try that is repeated after try and cancel', async () => {
    await seatService.call('try');
    await seatService.call('cancel');
    expect(await seatService.call('try')).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
  });

  test('is not confirmed (already-cancelled)', async () => {
    await seatService.call('try');
    await seatService.call('cancel');
    expect(await seatService.call('confirm')).toMatchObject({
      status: 409,
      state: 'Cancelled',
      code: 'already-cancelled',
    });
    expect(await seatService.reservation()).toBeUndefined();
  });

  test('is cancelled again without freeing anything twice (idempotence)', async () => {
    await seatService.call('try');
    await seatService.call('cancel');
    expect(await seatService.call('cancel')).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
    expect(await operationsTold()).toEqual(['try', 'cancel']);
  });
});

describe('the metrics', () => {
  const counted = async (labels: Readonly<Record<string, string>>): Promise<number> =>
    sumOf(await seatService.metrics(), 'ordertx_fence_anomalies_total', { path: PATH, ...labels });

  test('count what came twice, late or for nothing by its cell, and nothing of what came as it should', async () => {
    const before = await counted({});
    await seatService.call('try');
    await seatService.call('confirm');
    expect(await counted({})).toBe(before);
    const cells = [
      ['duplicate', 'try', 'Confirmed', 'shop/book-b1'],
      ['cancel-after-confirm', 'cancel', 'Confirmed', 'shop/book-b1'],
      ['empty-rollback', 'cancel', 'None', 'shop/book-b2'],
      ['late-try', 'try', 'Cancelled', 'shop/book-b2'],
    ] as const;
    for (const [anomaly, operation, stored, transaction] of cells) {
      const cell = { anomaly, operation, stored };
      const times = await counted(cell);
      await seatService.call(operation, { transaction });
      expect([anomaly, await counted(cell)]).toEqual([anomaly, times + 1]);
    }
    expect(await counted({})).toBe(before + cells.length);
  });

  test('show the age of the oldest branch without an end, by an index of those alone', async () => {
    const oldest = async () => sumOf(await seatService.metrics(), 'ordertx_fence_open_oldest_seconds');
    expect(await oldest()).toBe(0);
    await seatService.call('try', { transaction: 'shop/book-b1' });
    await seatService.call('try', { transaction: 'shop/book-b2' });
    await seatService.pool.query(
      `update ordertx_fence set created_at = now() - interval '1 hour' where transaction = 'shop/book-b1'`,
    );
    expect(await oldest()).toBeGreaterThanOrEqual(3_600);
    await seatService.call('confirm', { transaction: 'shop/book-b1' });
    expect(await oldest()).toBeLessThan(60);
    await seatService.pool.query(
      `insert into ordertx_fence (transaction, branch, path, state)
       select 'shop/ended-' || number, 'seats', '/tcc/book-seats', 'Confirmed' from generate_series(1, 20000) as number`,
    );
    await seatService.pool.query('analyze ordertx_fence');
    const { rows } = await seatService.pool.query<{ readonly 'QUERY PLAN': string }>(`explain ${OLDEST_OPEN.text}`);
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('ordertx_fence_open');
  });
});
