/** What is written in ASCII means what was written. */
import { expect, test } from '@jest/globals';
import { runInNewContext } from 'node:vm';
import { asciiOnly } from './ascii-only.ts';

const inAscii = (source: string): unknown => {
  const text = asciiOnly(source);
  expect(text).toMatch(/^[\0-\x7f]*$/);
  return runInNewContext(text);
};

test.each(['/[.?!…]$/', '/[“”]/u', '/^[😀-😂]+$/u', '/a|ü/g'])('%s finds the same', (source) => {
  const [meant, is] = [runInNewContext(source) as RegExp, inAscii(source) as RegExp];
  expect(is.flags).toBe(meant.flags);
  const samples = ['wait…', '”', '😁😂', 'x', 'ü'];
  expect(samples.map((sample) => sample.search(is))).toEqual(samples.map((sample) => sample.search(meant)));
  expect(samples.some((sample) => meant.test(sample))).toBe(true);
});

test.each(['`é${1}😀`', '"\\\\…"'])('%s is the same text', (source) => {
  expect(inAscii(source)).toBe(runInNewContext(source));
});

test.each(['/\\…/', 'x = /a\\\\\\ü/', 'String.raw`a…b`'])('%s is refused', (source) => {
  expect(() => asciiOnly(source)).toThrow(/write it in ASCII: .*[…ü]/);
});

test('what is ASCII stays as it is', () => {
  const text = 'String.raw`\\d` + /\\\\/ // a comment\n';
  expect(asciiOnly(text)).toBe(text);
});
