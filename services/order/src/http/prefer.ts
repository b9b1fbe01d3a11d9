/**
 * `Prefer: wait=N` (RFC 7240): how long the caller would rather wait for the outcome than get a 202.
 *
 * A preference is a wish, never a reason to refuse: one that is malformed or unknown is ignored (section 2), of several `wait`
 * the first counts, and a longer wait than we grant is shortened.
 */

/** Under the 60 s after which common proxies give up on a silent connection. */
export const WAIT_SECONDS_MAX = 30;

const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const WORD = `(?:${TOKEN}|${QUOTED})`;
/** Commas inside of a quoted string separate nothing; behind a quote that is never closed nothing can be told apart. */
const PREFERENCES = new RegExp(`((?:${QUOTED}|[^,"])*)(?:,|$)`, 'gy');
const PREFERENCE = new RegExp(`^\\s*(${TOKEN})\\s*(?:=\\s*(${WORD})?\\s*)?(?:;.*)?$`, 's');

/** Whole seconds, at most WAIT_SECONDS_MAX; undefined when the caller does not ask to wait. */
export function preferredWaitSeconds(prefer: string | undefined): number | undefined {
  for (const [, text = ''] of (prefer ?? '').matchAll(PREFERENCES)) {
    const [, name, word] = PREFERENCE.exec(text) ?? [];
    if (name?.toLowerCase() !== 'wait') continue;
    const value = word?.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/gs, '$1') : word;
    return value !== undefined && /^\d+$/.test(value) ? Math.min(Number(value), WAIT_SECONDS_MAX) : undefined;
  }
  return undefined;
}
