/**
 * The port to the payment service: what it knows of payments, which nobody else is believed about.
 */
export interface KnownPayment {
  readonly paymentId: string;
  readonly orderId: string;
  /** SUCCEEDED: captured, and not on its way back. */
  readonly status: string;
  /** Null while nothing is captured. */
  readonly capturedCents: number | null;
}

export type PaymentsFound =
  | { readonly kind: 'found'; readonly payments: readonly KnownPayment[] }
  /** No answer, or none that makes sense: nothing is known. `why` is for the log. */
  | { readonly kind: 'unavailable'; readonly why: string };

export interface PaymentLookup {
  /** All payments of these orders, which are 50 at most. Resolves, never rejects. */
  ofOrders(orderIds: readonly string[]): Promise<PaymentsFound>;
}
