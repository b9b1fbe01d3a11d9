/**
 * What this process keeps of a stored object: nothing that is of no use here, and one copy of each text that thousands of them have.
 *
 * The sentences of a status and the times that are cut to seconds are the same in many transactions, each with a copy of its own from
 * the parser.
 */
import { withoutManagedFields, type StoredObject } from './stored-object.ts';

/** The parser itself shares what is shorter. */
const SHARED_CHARS_MIN = 11;
/** More are no longer few that many have. What is forgotten then is shared anew, and nothing depends on it. */
const TEXTS_MAX = 2_000;

const texts = new Map<string, string>();

function shared(text: string): string {
  if (text.length < SHARED_CHARS_MIN) return text;
  const known = texts.get(text);
  if (known !== undefined) return known;
  if (texts.size >= TEXTS_MAX) texts.clear();
  texts.set(text, text);
  return text;
}

type Fields = Record<string, unknown>;

/** All texts directly or further down in it. */
function shareIn(holder: object): void {
  // A number that JavaScript cannot hold, as it was written (exact-json.ts).
  if (Object.isFrozen(holder)) return;
  const fields = holder as Fields;
  for (const [key, value] of Object.entries(fields)) {
    if (typeof value === 'string') fields[key] = shared(value);
    else if (typeof value === 'object' && value !== null) shareIn(value);
  }
}

/** The same object, changed: it must be the caller's own, as the parser made it. */
export function heldCopy<T extends StoredObject>(object: T): T {
  const { apiVersion, kind, metadata, status } = withoutManagedFields(object) as StoredObject & Fields;
  if (typeof apiVersion === 'string' && typeof kind === 'string') {
    Object.assign(object, { apiVersion: shared(apiVersion), kind: shared(kind) });
  }
  if (metadata.creationTimestamp !== undefined) {
    (metadata as { creationTimestamp: string }).creationTimestamp = shared(metadata.creationTimestamp);
  }
  if (typeof status === 'object' && status !== null) shareIn(status);
  return object;
}
