/**
 * The Ordertx-Detail header: a sentence for people, carried where only ASCII may stand.
 *
 * Percent-encoded UTF-8, at most 512 characters after encoding, cut at a whole character, so that what arrives always decodes.
 */

/** Counted after encoding. Long enough for a sentence, short enough that no proxy's header limit (8 kB) comes near. */
export const DETAIL_CHARS_MAX = 512;

/** Encodes as much of the text as fits. Unpaired surrogates, which no UTF-8 can carry, become U+FFFD. */
export function encodeDetail(detail: string): string {
  const encoded = encodeURIComponent(detail.toWellFormed());
  if (encoded.length <= DETAIL_CHARS_MAX) return encoded;
  let fitting = '';
  for (const character of detail.toWellFormed()) {
    const next = encodeURIComponent(character);
    if (fitting.length + next.length > DETAIL_CHARS_MAX) break;
    fitting += next;
  }
  return fitting;
}

/** Undefined when the text is not percent-encoded UTF-8, or longer than the contract allows. */
export function decodeDetail(encoded: string): string | undefined {
  if (encoded.length > DETAIL_CHARS_MAX) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
