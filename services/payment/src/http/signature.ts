/**
 * The payment provider's signature: `Payment-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<paymentId>.<raw body>">`.
 *
 * The payment's id is signed as well, so that a call for one payment is no call for another; the time, so that an old one that
 * somebody kept is of no use.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export const SIGNATURE_HEADER = 'Payment-Signature';
/** Clocks differ and networks delay, by less than this; in either direction. */
export const AGE_SECONDS_MAX = 300;

const FORM = /^t=(?<seconds>\d{1,12}),v1=(?<digest>[0-9a-f]{64})$/i;

export interface SignedCall {
  /** As it came. */
  readonly header: string | undefined;
  readonly secret: string;
  readonly paymentId: string;
  readonly rawBody: string;
  readonly nowMs: number;
}

/** What is wrong with it, in words that name the header and give nothing of the secret away; undefined for a good one. */
export function signatureFault({ header, secret, paymentId, rawBody, nowMs }: SignedCall): string | undefined {
  if (header === undefined) return `${SIGNATURE_HEADER}: is missing; send t=<unix seconds>,v1=<HMAC-SHA256>`;
  const { seconds, digest } = FORM.exec(header)?.groups ?? {};
  if (seconds === undefined || digest === undefined)
    return `${SIGNATURE_HEADER}: must be t=<unix seconds>,v1=<64 hexadecimal digits>`;
  const expected = createHmac('sha256', secret).update(`${seconds}.${paymentId}.${rawBody}`).digest();
  if (!timingSafeEqual(expected, Buffer.from(digest, 'hex')))
    return `${SIGNATURE_HEADER}: is not the signature of this payment and body at this time with the secret that was agreed`;
  if (Math.abs(nowMs / 1000 - Number(seconds)) > AGE_SECONDS_MAX)
    return `${SIGNATURE_HEADER}: is more than ${AGE_SECONDS_MAX} s away from the present; sign each call when it is made`;
  return undefined;
}
