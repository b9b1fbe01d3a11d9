/** JSON of any depth, as JSON.stringify would write it. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { stringifyAnyDepth } from './deep-json.ts';
import { parseExact } from './exact-json.ts';

/** Deep enough that JSON.stringify gives up, around what is to be written. */
const LEVELS = 50_000;
const around = (text: string): string => `${'[{"a":'.repeat(LEVELS)}${text}${'}]'.repeat(LEVELS)}`;

test('what is too deep for JSON.stringify is written as it was read', () => {
  expect(() => JSON.stringify(JSON.parse(around('1')))).toThrow(RangeError);
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const text = around(JSON.stringify(value));
      expect(stringifyAnyDepth(JSON.parse(text)) === text).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('members without a value are left out, and numbers stay as they were written', () => {
  const value = { left: undefined, big: parseExact('9007199254740993'), deep: JSON.parse(around('1')) as unknown };
  expect(stringifyAnyDepth(value)).toBe(`{"big":9007199254740993,"deep":${around('1')}}`);
});
