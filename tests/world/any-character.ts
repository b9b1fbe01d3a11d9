/**
 * Characters for texts that may be anything: `fc.string({ unit: anyCharacter })`.
 *
 * fast-check's own unit 'binary' means the same, but first lists every character there is, which takes it most of a second in each
 * test file.
 */
import fc from 'fast-check';

const CODE_POINT_MAX = 0x10_ffff;
const SURROGATES = { from: 0xd800, count: 0x800 };

/** Any code point but half a surrogate pair; most are plain. */
export const anyCharacter: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 0x7f }) },
    fc.integer({ min: 0, max: CODE_POINT_MAX - SURROGATES.count }),
  )
  .map((code) => String.fromCodePoint(code < SURROGATES.from ? code : code + SURROGATES.count));
