/**
 * The Ordertx-Detail header.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anyCharacter } from '../../../tests/world/any-character.ts';
import { decodeDetail, DETAIL_CHARS_MAX, encodeDetail } from './detail.ts';

describe('encodeDetail and decodeDetail', () => {
  test('a sentence comes back as it was', () => {
    const sentence = 'Out of stock: sku-1 — 売り切れ, 100 % (really)';
    expect(encodeDetail(sentence)).toMatch(/^[\x21-\x7e]+$/);
    expect(decodeDetail(encodeDetail(sentence))).toBe(sentence);
  });

  test('nothing comes back as nothing', () => {
    expect(decodeDetail(encodeDetail(''))).toBe('');
  });

  test('whatever is encoded is ASCII, fits, and decodes to a beginning of the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter, maxLength: 700 }), (text) => {
        const encoded = encodeDetail(text);
        expect(encoded.length).toBeLessThanOrEqual(DETAIL_CHARS_MAX);
        expect(encoded).toMatch(/^[\x21-\x7e]*$/);
        const decoded = decodeDetail(encoded);
        expect(decoded).toBeDefined();
        expect(text.toWellFormed().startsWith(decoded ?? 'undefined')).toBe(true);
      }),
    );
  });

  test.each([
    ['a', 512, 512],
    ['ü', 85, 510],
    ['売', 56, 504],
    ['🎟', 42, 504],
  ])('%s is cut at a whole character', (character, count, encodedChars) => {
    const encoded = encodeDetail(character.repeat(600));
    expect(encoded).toHaveLength(encodedChars);
    expect(decodeDetail(encoded)).toBe(character.repeat(count));
  });

  test('an unpaired surrogate becomes the replacement character', () => {
    expect(decodeDetail(encodeDetail('a\ud800b'))).toBe('a\u{FFFD}b');
  });

  test.each(['%', '%zz', '%E5%A3', '%ff', 'x'.repeat(513)])('%s is no detail', (encoded) => {
    expect(decodeDetail(encoded)).toBeUndefined();
  });
});
