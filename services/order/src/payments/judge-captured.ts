/**
 * Whether a payment was captured as somebody says, by what the payment service knows of it: nobody else is believed.
 *
 * A total pure function.
 */
import type { KnownPayment } from './payment-lookup.ts';

export type CapturedVerdict =
  | { readonly kind: 'captured' }
  /** Not yet, as far as the payment service has heard. */
  | { readonly kind: 'pending'; readonly detail: string }
  /** It is no such payment. */
  | { readonly kind: 'other'; readonly detail: string }
  /** It was, and the money is on its way back, or there. */
  | { readonly kind: 'going-back'; readonly detail: string };

/** @param known the payment of this id and this order; undefined where the payment service knows none */
export function judgeCaptured(
  told: { readonly amountCents: number },
  known: Pick<KnownPayment, 'status' | 'capturedCents'> | undefined,
): CapturedVerdict {
  if (known === undefined) return { kind: 'other', detail: 'the payment service knows no such payment of the order' };
  const { status, capturedCents } = known;
  if (capturedCents === null)
    return { kind: 'pending', detail: 'the payment service has not heard that the payment was captured' };
  if (capturedCents !== told.amountCents) {
    const detail = `the payment service knows of ${capturedCents} cents, and here it is ${told.amountCents}`;
    return { kind: 'other', detail };
  }
  if (status === 'SUCCEEDED') return { kind: 'captured' };
  return { kind: 'going-back', detail: `the payment is ${status} by now: there is nothing to apply` };
}
