/** Numbers arrive digit by digit, or are named. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { inexactNumberIn, parseExact } from './exact-json.ts';

const INEXACT = [
  ...['9007199254740993', '-9007199254740993', '9223372036854775807', '18446744073709551616123', '1e400', '-1E+400'],
  ...[
    '1e-400',
    '1.0000000000000000001',
    '12345678.1234567890123',
    '0.30000000000000004000001',
    '100000000000000000000001',
  ],
];
const EXACT = [
  ...['0', '-0', '0.0', '1.50', '9007199254740991', '9007199254740992', '9007199254740994', '1e22', '1E-7', '0.1'],
  ...['0.30000000000000004', '123456789012345680000', '1.7976931348623157e308', '5e-324', '1000000000000000000000'],
];

describe.each(INEXACT)('%s', (number) => {
  test('is passed on as it was written', () => {
    const text = `{"a":{"b":[1,${number}]},"c":"9007199254740993"}`;
    expect(JSON.stringify(parseExact(text))).toBe(text);
  });

  test('is named by its field', () => {
    expect(inexactNumberIn(`{"a":{"b":[1,{"c":${number}}]},"d":2}`)).toEqual({ field: 'a.b[1].c', written: number });
    expect(inexactNumberIn(`[[${number}]]`)).toEqual({ field: '[0][0]', written: number });
  });
});

test.each(EXACT)('%s is a number like any other', (number) => {
  expect(parseExact(`[${number}]`)).toEqual([Number(number)]);
  expect(inexactNumberIn(`[${number}]`)).toBeUndefined();
});

test('every double is exact as JavaScript prints it, and every 64-bit integer comes out as it went in', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      expect(inexactNumberIn(JSON.stringify([number]))).toBeUndefined();
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (number) => {
      const text = `{"n":${number}}`;
      expect(JSON.stringify(parseExact(text))).toBe(text);
      // What counts is what is printed: a double may be another integer and still print as this one.
      const isKept = String(Number(number)) === String(number);
      expect(inexactNumberIn(text)).toEqual(isKept ? undefined : { field: 'n', written: String(number) });
    }),
  );
});

test('digits in strings and names are no numbers', () => {
  const text = '{"9007199254740993":"9007199254740993","uid":"5e400000-0000-4000-8000-1234567890123456"}';
  expect(inexactNumberIn(text)).toBeUndefined();
  expect(JSON.stringify(parseExact(text))).toBe(text);
});

test('a number alone has no field; the first of several is named; what is no JSON is nobody’s number', () => {
  expect(inexactNumberIn('9007199254740993')).toEqual({ field: '', written: '9007199254740993' });
  expect(inexactNumberIn('{"a":1e400,"b":1e500}')).toMatchObject({ field: 'a' });
  expect(inexactNumberIn('{"a":9007199254740993')).toBeUndefined();
  expect(() => parseExact('{"a":9007199254740993')).toThrow(SyntaxError);
});

test('what is nested too deep to be looked through is read all the same', () => {
  const text = `${'['.repeat(20_000)}9007199254740993${']'.repeat(20_000)}`;
  expect(Array.isArray(parseExact(text))).toBe(true);
  expect(inexactNumberIn(text)).toBeUndefined();
});
