/**
 * Whether two payloads are the same: their canonical JSON (RFC 8785) and its SHA-256.
 *
 * Member order, white space and the spelling of numbers do not count.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

export interface Canonical {
  readonly text: string;
  /** SHA-256 of the text in UTF-8, hexadecimal. */
  readonly digest: string;
}

/** Undefined for what RFC 8785 has no form for: nothing at all, or a string with unpaired surrogates. */
export function canonical(payload: unknown): Canonical | undefined {
  let text: string | undefined;
  try {
    text = canonicalize(payload);
  } catch {
    return undefined;
  }
  if (text === undefined) return undefined;
  return { text, digest: createHash('sha256').update(text, 'utf8').digest('hex') };
}
