/**
 * The payment provider's signature: `Payment-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<paymentId>.<raw body>">`.
 *
 * The payment's id is signed as well, so that a call for one payment is no call for another; the time, so that an old one that
 * somebody kept is of no use. One that is repeated in time does no harm either: a payment is captured once.
 */
import { judgeSignature, type SignatureVerdict } from '../../../kit/src/index.ts';

export const SIGNATURE_HEADER = 'Payment-Signature';
/** Clocks differ and networks delay, by less than this; in either direction. */
export const AGE_SECONDS_MAX = 300;

export interface SignedCall {
  /** As it came. */
  readonly header: string | undefined;
  readonly secrets: readonly string[];
  readonly paymentId: string;
  readonly rawBody: string;
  readonly nowMs: number;
}

export function judgeProviderCall({ header, secrets, paymentId, rawBody, nowMs }: SignedCall): SignatureVerdict {
  return judgeSignature({
    ...{ name: SIGNATURE_HEADER, header, secrets, nowMs },
    ...{ what: 'this payment and body', text: `${paymentId}.${rawBody}` },
    ...{ ageSecondsMax: AGE_SECONDS_MAX, aheadSecondsMax: AGE_SECONDS_MAX },
  });
}
