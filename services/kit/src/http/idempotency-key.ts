/**
 * The Idempotency-Key header: required where a repeat would be a second effect, such as a customer's second click a second order.
 */

export const IDEMPOTENCY_KEY_CHARS_MAX = 255;

export const IDEMPOTENCY_KEY_PATTERN = new RegExp(`^[\\x21-\\x7e]{1,${IDEMPOTENCY_KEY_CHARS_MAX}}$`);

export type KeyResult =
  { readonly kind: 'key'; readonly key: string } | { readonly kind: 'bad'; readonly detail: string };

export function readIdempotencyKey(header: string | undefined): KeyResult {
  const key = header?.trim();
  if (key === undefined || key === '') {
    return {
      kind: 'bad',
      detail: 'Idempotency-Key is required: send a value of your own that stays the same when you repeat this request',
    };
  }
  if (!IDEMPOTENCY_KEY_PATTERN.test(key)) {
    return {
      kind: 'bad',
      detail: `Idempotency-Key must be at most ${IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters without spaces`,
    };
  }
  return { kind: 'key', key };
}
