/**
 * The tokens by which a receipt proves that its sender could read the message.
 *
 * Whoever may write to a receipts stream could otherwise end messages that nobody has handled: their ids can be guessed. A token
 * cannot: it is the HMAC of the message's id under a key that this process makes at its start and tells nobody. Nothing is stored. A
 * sender that was restarted publishes again, and gets receipts with the new token; every sender reads only receipts for what it has
 * published itself.
 */
import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';

const KEY_BYTES = 32;

export class ReceiptTokens {
  /** Made ready once: from bare bytes every HMAC would make it again, at several times its own cost. */
  readonly #key = createSecretKey(randomBytes(KEY_BYTES));

  /** The same on every publication by this process. */
  of(messageId: string): string {
    return createHmac('sha256', this.#key).update(messageId).digest('base64url');
  }

  proves(messageId: string, token: string | undefined): boolean {
    const expected = Buffer.from(this.of(messageId));
    const given = Buffer.from(token ?? '');
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}
