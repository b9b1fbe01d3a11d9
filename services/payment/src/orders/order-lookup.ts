/**
 * The port to the order service: what has to be known of an order before money is asked for it.
 */
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

export interface OrderLookup {
  /** Resolves, never rejects. */
  find(orderId: string): Promise<LookedUp>;
}
