/** The answer table, row by row; docs/reference/participant-protocol.md, "Answers". */
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anyCharacter } from '../../../tests/world/any-character.ts';
import { FENCE_STATES, OPERATIONS, type Operation } from '../../../services/protocol/src/operations.ts';
import { PROBLEM_CODES } from '../../../services/protocol/src/problems.ts';
import { classify, DETAIL_CHARS_MAX } from './classify.ts';
import type { HttpHeaders } from './exchange.ts';

const NOW_MS = Date.parse('2026-11-22T10:00:00Z');

function outcome(operation: Operation, status: number, headers: HttpHeaders = {}, body?: string) {
  return classify(operation, { status, headers, body }, NOW_MS);
}

function refusal(detail: unknown, code: unknown = 'refused'): string {
  return JSON.stringify({ title: 'Refused', status: 409, code, detail });
}

describe('a 2xx', () => {
  const done: Record<Operation, readonly string[]> = {
    try: ['Tried', 'Confirmed'],
    confirm: ['Confirmed'],
    cancel: ['Cancelled'],
  };
  for (const operation of OPERATIONS) {
    for (const state of FENCE_STATES) {
      const means = done[operation].includes(state) ? 'succeeded' : 'unknown';
      test.each([200, 201, 204, 299])(`with ${state} after a ${operation} is ${means} (%d)`, (status) => {
        expect(outcome(operation, status, { 'ordertx-state': state }).kind).toBe(means);
      });
    }
  }

  test('with Confirmed after a try says more than that it has succeeded', () => {
    expect(outcome('try', 200, { 'ordertx-state': 'Confirmed' })).toEqual({ kind: 'succeeded', confirmedBefore: true });
    expect(outcome('confirm', 200, { 'ordertx-state': 'Confirmed' })).toEqual({ kind: 'succeeded' });
  });

  test('without Ordertx-State is unknown and asks whether the address is right', () => {
    expect(outcome('try', 200)).toEqual({
      kind: 'unknown',
      detail: "answered 200 without Ordertx-State: is the flow's endpoint and path this participant's?",
    });
  });

  test.each(['tried', 'Tried, Tried', 'Trying', 'toString', '{}', ' '])('with the state %j is unknown', (state) => {
    expect(outcome('try', 200, { 'ordertx-state': state }).kind).toBe('unknown');
  });

  test('with the header twice is unknown', () => {
    expect(outcome('try', 200, { 'ordertx-state': ['Tried', 'Tried'] }).kind).toBe('unknown');
  });
});

describe('a 409', () => {
  for (const operation of OPERATIONS) {
    test.each([...FENCE_STATES])(
      `with %s after a ${operation} is refused, with the body's code and detail`,
      (state) => {
        expect(outcome(operation, 409, { 'ordertx-state': state }, refusal('out of stock: sku-1'))).toEqual({
          kind: 'refused',
          code: 'refused',
          detail: 'out of stock: sku-1',
        });
      },
    );
  }

  test.each([...PROBLEM_CODES])('passes on the code %s', (code) => {
    expect(outcome('confirm', 409, { 'ordertx-state': 'None' }, refusal('why', code))).toMatchObject({ code });
  });

  test.each([
    ['try', 'Refused', 'refused'],
    ['try', 'Cancelled', 'cancelled'],
    ['confirm', 'None', 'no-try'],
    ['confirm', 'Refused', 'refused'],
    ['confirm', 'Cancelled', 'already-cancelled'],
    ['cancel', 'Confirmed', 'already-confirmed'],
  ] as const)(
    'without a readable body is refused by what the fence table says: %s, %s, %s',
    (operation, state, code) => {
      for (const body of [
        undefined,
        '',
        '<html>',
        '[]',
        'null',
        '"refused"',
        '{"code":7,"detail":{}}',
        '{"code":"no"}',
      ]) {
        expect(outcome(operation, 409, { 'ordertx-state': state }, body)).toEqual({
          kind: 'refused',
          code,
          detail: `refused the ${operation} without saying why (its state is ${state})`,
        });
      }
    },
  );

  test('without Ordertx-State is unknown, whatever the body says', () => {
    expect(outcome('try', 409, {}, refusal('out of stock')).kind).toBe('unknown');
    expect(outcome('try', 409, { 'ordertx-state': 'Rejected' }, refusal('out of stock')).kind).toBe('unknown');
  });

  test('has a detail of one line without control characters', () => {
    const detail = outcome(
      'try',
      409,
      { 'ordertx-state': 'Refused' },
      refusal(' out\r\n of \u001b[31mstock\u2028\u202E!\u0000'),
    );
    expect(detail).toMatchObject({ detail: 'out of [31mstock !' });
  });

  test('has a detail of at most 512 characters, cut at a whole one', () => {
    const headers = { 'ordertx-state': 'Refused' };
    for (const long of ['x'.repeat(60_000), '😀'.repeat(400), `x${'😀'.repeat(400)}`]) {
      const result = outcome('try', 409, headers, refusal(long));
      if (result.kind !== 'refused') throw new Error('it must be refused');
      expect(result.detail.length).toBeLessThanOrEqual(DETAIL_CHARS_MAX);
      expect(result.detail.isWellFormed()).toBe(true);
      expect(result.detail.endsWith('…')).toBe(true);
    }
    const whole = 'y'.repeat(DETAIL_CHARS_MAX);
    expect(outcome('try', 409, headers, refusal(whole))).toMatchObject({ detail: whole });
  });
});

describe('anything else', () => {
  test.each([
    100,
    300,
    301,
    302,
    303,
    304,
    307,
    308,
    400,
    401,
    403,
    404,
    405,
    410,
    413,
    418,
    421,
    422,
    429,
    500,
    502,
    503,
    504,
    599,
    600,
    999,
    0,
    -1,
    NaN,
  ])('%d is unknown, even with a fitting state', (status) => {
    for (const operation of OPERATIONS) {
      expect(outcome(operation, status, { 'ordertx-state': 'Confirmed' }, refusal('no')).kind).toBe('unknown');
    }
  });

  test.each([
    [301, 'redirect'],
    [401, 'ORDERTX_AUDIENCE'],
    [403, 'ORDERTX_NAMESPACES'],
    [404, 'endpoint and path'],
    [421, "not this service's branch"],
    [429, 'maxConcurrency'],
    [503, 'ready'],
  ])('%d says what to do next', (status, words) => {
    expect(outcome('try', status)).toMatchObject({ detail: expect.stringContaining(words) });
  });
});

describe('Retry-After', () => {
  test.each([425, 429, 503])('is honoured on %d, as seconds and as a date', (status) => {
    expect(outcome('try', status, { 'retry-after': '7' })).toMatchObject({ retryAfterMs: 7_000 });
    expect(outcome('try', status, { 'retry-after': 'Sun, 22 Nov 2026 10:00:30 GMT' })).toMatchObject({
      retryAfterMs: 30_000,
    });
    expect(outcome('try', status, { 'retry-after': '9999999999' })).toMatchObject({ retryAfterMs: 3_600_000 });
  });

  test.each([
    '0',
    '-5',
    '1.5',
    '',
    'soon',
    'Sunday',
    'Nov 2026',
    'Sun, 22 Nov 2026 09:59:59 GMT',
    '1e3',
    '99999999999',
  ])('of %j is no wish', (value) => {
    expect(outcome('try', 425, { 'retry-after': value })).not.toHaveProperty('retryAfterMs');
  });

  test('is no wish when it comes twice, or on other answers', () => {
    expect(outcome('try', 425, { 'retry-after': ['1', '2'] })).not.toHaveProperty('retryAfterMs');
    expect(outcome('try', 500, { 'retry-after': '1' })).not.toHaveProperty('retryAfterMs');
  });

  test('as a date is counted from the answer’s own Date, whatever the time is here', () => {
    const headers = { 'retry-after': 'Sun, 22 Nov 2026 12:00:30 GMT', date: 'Sun, 22 Nov 2026 12:00:00 GMT' };
    expect(outcome('try', 503, headers)).toMatchObject({ retryAfterMs: 30_000 });
  });

  test('a 425 is ongoing for every operation', () => {
    for (const operation of OPERATIONS) expect(outcome(operation, 425).kind).toBe('ongoing');
  });
});

test('any answer has a meaning: bounded, one line, and the same when it comes again', () => {
  const value = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.constantFrom<string>(...FENCE_STATES, 'Sun, 99 Nov 2026 99:00:00 GMT', '12'),
    fc.array(fc.string(), { maxLength: 3 }),
    fc.constant(undefined),
  );
  const problem = fc.record({
    code: fc.anything(),
    detail: fc.oneof(fc.anything(), fc.string({ unit: anyCharacter })),
  });
  const body = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.json(),
    problem.map((each) => safeJson(each)),
    fc.constant(undefined),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...OPERATIONS),
      fc.oneof(fc.integer(), fc.constantFrom(200, 409, 425, 429, 503), fc.double()),
      fc.record({ 'ordertx-state': value, 'retry-after': value }, { requiredKeys: [] }),
      body,
      (operation, status, headers, text) => {
        const result = outcome(operation, status, headers, text);
        expect(isDeepStrictEqual(outcome(operation, status, headers, text), result)).toBe(true);
        const bounded = result.kind === 'succeeded' ? status < 300 : /^[^\p{Cc}]{1,512}$/u.test(result.detail);
        expect(bounded).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

/** JSON of whatever it is; some values have none. */
function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? String(each) : each));
  } catch {
    return '{"circular":true}';
  }
}
