/**
 * What the payload may and may not decide.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openSeatService, OTHER_PATH, PAYLOAD, SEATS_AT_START, type SeatService } from '../../testing/seat-service.ts';

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

/** Valid JSON, in which what walks through a value level by level overflows the stack. */
const NESTED = `{"show":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;

const OTHER = { ...PAYLOAD, seats: 3 };

describe('another payload under the same name', () => {
  beforeEach(async () => {
    await seatService.call('try');
  });

  test('is refused on try (payload-mismatch) and changes nothing', async () => {
    expect(await seatService.call('try', { payload: OTHER })).toMatchObject({
      status: 409,
      state: 'Tried',
      code: 'payload-mismatch',
    });
    expect(await seatService.freeSeats()).toBe(8);
  });

  test('is refused on confirm (payload-mismatch) and changes nothing', async () => {
    expect(await seatService.call('confirm', { payload: OTHER })).toMatchObject({
      status: 409,
      state: 'Tried',
      code: 'payload-mismatch',
    });
    expect(await seatService.reservation()).toBe('held');
  });

  test('is not looked at on cancel: what was tried is what is undone', async () => {
    expect(await seatService.call('cancel', { payload: OTHER })).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
    expect((await seatService.told()).at(-1)).toMatchObject({ operation: 'cancel', seats: PAYLOAD.seats });
  });

  test('is still refused on try and confirm once the branch is cancelled', async () => {
    await seatService.call('cancel');
    for (const operation of ['try', 'confirm'] as const) {
      const answer = await seatService.call(operation, { payload: OTHER });
      expect(answer).toMatchObject({ status: 409, state: 'Cancelled', code: 'payload-mismatch' });
    }
  });

  test('is still refused on try and confirm once the branch is confirmed', async () => {
    await seatService.call('confirm');
    expect(await seatService.call('try', { payload: OTHER })).toMatchObject({
      status: 409,
      state: 'Confirmed',
      code: 'payload-mismatch',
    });
    expect(await seatService.call('confirm', { payload: OTHER })).toMatchObject({
      status: 409,
      state: 'Confirmed',
      code: 'payload-mismatch',
    });
  });

  test('is the same payload when only member order, white space and number spelling differ (RFC 8785)', async () => {
    const rawBody = '{ "seats": 2.0e0,\n "show": "h\\u0061mlet" }';
    expect(await seatService.call('confirm', { rawBody })).toMatchObject({ status: 200, state: 'Confirmed' });
  });

  test('does not hide a cancel that came before any try: the late try hears cancelled', async () => {
    await seatService.pool.query('truncate ordertx_fence');
    await seatService.call('cancel', { payload: OTHER });
    expect(await seatService.call('try')).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
  });
});

describe('a payload that fails its schema', () => {
  test.each([
    [{ show: 'hamlet', seats: 0 }, 'payload.seats'],
    [{ show: 'hamlet' }, 'seats'],
    [{ ...PAYLOAD, tip: 1 }, 'tip'],
    [[PAYLOAD], 'payload'],
    ['hamlet', 'payload'],
    [null, 'payload'],
  ])('is refused for good on try, naming the field: %j', async (payload, field) => {
    const answer = await seatService.call('try', { payload, rawBody: JSON.stringify(payload) });
    expect(answer).toMatchObject({ status: 409, state: 'Refused', code: 'refused' });
    expect(answer.detail).toContain(field.replace('payload.', ''));
    expect(await seatService.call('try', { payload, rawBody: JSON.stringify(payload) })).toEqual({
      ...answer,
      headers: expect.anything(),
    });
  });

  test('never keeps a cancel from getting through: the service is told without a payload', async () => {
    expect(await seatService.call('cancel', { payload: { seats: 'many' } })).toMatchObject({
      status: 200,
      state: 'Cancelled',
    });
    expect(await seatService.told()).toMatchObject([{ operation: 'cancel', tried: false, seats: null }]);
  });

  test.each(['{"show": ', '', NESTED, '\u{FEFF}"', '"\\ud800"', JSON.stringify({ show: 'x'.repeat(200_000) })])(
    'nor does a body that is no payload at all (case %#)',
    async (rawBody) => {
      expect(await seatService.call('cancel', { rawBody })).toMatchObject({ status: 200, state: 'Cancelled' });
    },
  );

  test.each([
    ['{"show": ', 400, 'body'],
    ['', 400, 'body'],
    [NESTED, 400, 'show: is nested'],
    ['"\\ud800"', 400, 'body'],
    [JSON.stringify({ show: 'x'.repeat(200_000) }), 413, 'body'],
  ])('a body that is no usable JSON is no try and no confirm (case %#)', async (rawBody, status, words) => {
    for (const operation of ['try', 'confirm'] as const) {
      const answer = await seatService.call(operation, { rawBody });
      expect(answer).toMatchObject({ status, state: null });
      expect(answer.detail).toContain(words);
    }
    expect(await seatService.storedState()).toBeUndefined();
  });

  test('a field name with control characters is refused like any other', async () => {
    const answer = await seatService.call('try', { payload: { ...PAYLOAD, 'a\u0000b': 1 } });
    expect(answer).toMatchObject({ status: 409, state: 'Refused' });
  });
});

test('a branch that was tried at one path is not cancelled at another (421), and nothing changes', async () => {
  await seatService.call('try');
  for (const operation of ['try', 'confirm', 'cancel'] as const) {
    expect(await seatService.call(operation, { path: OTHER_PATH })).toMatchObject({ status: 421, state: null });
  }
  expect(await seatService.storedState()).toBe('Tried');
  expect(await seatService.freeSeats()).toBe(8);
});
