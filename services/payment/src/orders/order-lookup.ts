/**
 * The port to the order service: what has to be known of an order before money is asked for it, and before any is given back.
 */
import type { FenceState } from '../../../protocol/src/index.ts';

export type LookedUp =
  | {
      readonly kind: 'found';
      readonly status: string;
      readonly totalCents: number;
      /** Where its transactions lie; null where the order service does not say. */
      readonly namespace: string | null;
    }
  /** Nobody placed it. */
  | { readonly kind: 'unknown' }
  /** No answer, or none that makes sense: nothing is known of the order. `why` is for the log. */
  | { readonly kind: 'unavailable'; readonly why: string };

/** What became of a payment's attempt to pay its order. */
export type Attempt =
  | {
      readonly kind: 'found';
      /** `<namespace>/<name>`. */
      readonly transaction: string;
      /** Whether the order is paid by this payment. */
      readonly applied: boolean;
      /** Of the order's branch; Cancelled is for good. */
      readonly state: FenceState;
    }
  | { readonly kind: 'unavailable'; readonly why: string };

export interface AttemptAsked {
  readonly orderId: string;
  readonly paymentId: string;
  /** Where it lies, as far as it is known; it counts where the order service has lost the order. */
  readonly namespace: string | null;
}

export interface OrderLookup {
  /** Resolves, never rejects. */
  find(orderId: string): Promise<LookedUp>;
  /** Resolves, never rejects. */
  attempt(asked: AttemptAsked): Promise<Attempt>;
}
