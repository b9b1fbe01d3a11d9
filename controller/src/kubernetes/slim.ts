/**
 * What this process keeps of a stored object: nothing that is of no use here, and one copy of each text that thousands of them have.
 *
 * A status has its sentences in full, the same in many transactions, and the parser makes a copy of each for every one of them.
 */
import { withoutManagedFields, type StoredObject } from './stored-object.ts';

/** The parser itself shares what is shorter. */
const SHARED_CHARS_MIN = 11;
/** What a text of a status may have at most (the CRDs' maxLength): all that is kept here stays below 4 MB. */
const SHARED_CHARS_MAX = 1_024;
/** Times to the millisecond, of which each is another: they would push out what is shared. */
const TIME_CHARS = new Date(0).toISOString().length;
/** More are no longer few that many have. What is forgotten then is shared anew, and nothing depends on it. */
const TEXTS_MAX = 2_000;

const texts = new Map<string, string>();

/** Node has had it since 21, TypeScript's library has not. */
const { isRawJSON } = JSON as unknown as { readonly isRawJSON: (value: unknown) => boolean };

function shared(text: string): string {
  if (text.length < SHARED_CHARS_MIN || text.length > SHARED_CHARS_MAX) return text;
  if (text.length === TIME_CHARS && text.endsWith('Z')) return text;
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= TEXTS_MAX) texts.clear();
  texts.set(text, text);
  return text;
}

type Fields = Record<string, unknown>;

function shareNamed(holder: object, ...names: readonly string[]): void {
  const fields = holder as Fields;
  for (const name of names) {
    const value = fields[name];
    if (typeof value === 'string') fields[name] = shared(value);
  }
}

/** All texts in it, also further down. */
function shareAll(holder: object): void {
  // A number that JavaScript cannot hold, as it was written (exact-json.ts).
  if (isRawJSON(holder)) return;
  const fields = holder as Fields;
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === 'string') fields[key] = shared(value);
    else if (typeof value === 'object' && value !== null) shareAll(value);
  }
}

/** The same object, changed: it must be the caller's own, as the parser made it. */
export function slim<T extends StoredObject>(object: T): T {
  const { metadata, spec, status } = withoutManagedFields(object) as StoredObject & Fields;
  shareNamed(object, 'apiVersion', 'kind');
  shareNamed(metadata, 'namespace', 'creationTimestamp');
  if (typeof spec === 'object' && spec !== null) shareNamed(spec, 'flow');
  if (typeof status === 'object' && status !== null) shareAll(status);
  return object;
}
