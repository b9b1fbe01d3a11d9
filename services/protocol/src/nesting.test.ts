/** How deep JSON is nested, told from its text. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fieldNestedDeeper, isNestedDeeper, NESTING_MAX } from './nesting.ts';

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test('the limit itself is taken, one level more is not, and no depth overflows the stack', () => {
  expect(isNestedDeeper(nested(NESTING_MAX))).toBe(false);
  expect(isNestedDeeper(nested(NESTING_MAX + 1))).toBe(true);
  expect(isNestedDeeper(nested(100_000))).toBe(true);
});

test('brackets in strings and in names are no levels', () => {
  const value = { ['[{"\\'.repeat(200)]: '\\"[[{{'.repeat(200) };
  expect(isNestedDeeper(JSON.stringify(value), 1)).toBe(false);
});

test.each([
  [`{"userId":"a,b:[","lines":[{"skuId":"x"},{"quantity":1,"skuId":${nested(200)}}]}`, 'lines.1.skuId'],
  [`{"a\\"b":{"c":[1,2]},"delta":${nested(200)}}`, 'delta'],
  [nested(200), ''],
  [`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`, 'a.a.a.a.a.a.a.a'],
])('names the field that is too deep: %#', (text, field) => {
  expect(JSON.parse(text)).toBeDefined();
  expect(fieldNestedDeeper(text)).toBe(field);
});

test('the text of any value is as deep as the value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }), (value) => {
      const depth = depthOf(value);
      const text = JSON.stringify(value, null, 1);
      expect(isNestedDeeper(text, depth)).toBe(false);
      expect(depth > 0 && !isNestedDeeper(text, depth - 1)).toBe(false);
    }),
  );
});
