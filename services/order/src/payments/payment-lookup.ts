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

export type PaymentFound =
  /** Undefined: the payment service knows no such payment of the order. */
  | { readonly kind: 'found'; readonly payment: KnownPayment | undefined }
  | Extract<PaymentsFound, { readonly kind: 'unavailable' }>;

export interface PaymentLookup {
  /** All payments of these orders, which are 50 at most. Resolves, never rejects. */
  ofOrders(orderIds: readonly string[]): Promise<PaymentsFound>;
  /** One payment of this order. Resolves, never rejects. */
  find(orderId: string, paymentId: string): Promise<PaymentFound>;
}
