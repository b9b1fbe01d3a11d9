/**
 * The port to the payment provider: who gives money back.
 */
export interface RefundOrder {
  readonly paymentId: string;
  /** Which of the payment's captures; '' for the one that the provider gave no id. */
  readonly captureId: string;
  readonly amountCents: number;
  readonly reason: string;
}

export type RefundResult =
  /** The provider gives it back, by this order or an earlier one. */
  | { readonly kind: 'taken' }
  /** Also where nobody knows: a time-out. The reason is the same from attempt to attempt. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface RefundProvider {
  /** Resolves, never rejects, and within the provider's time-out. The same order may come again and must be carried out once. */
  refund(order: RefundOrder): Promise<RefundResult>;
  close(): Promise<void>;
}

/** The same at every attempt of one refund: `refund/<paymentId>`, for a named capture `refund/<paymentId>/<captureId>`. */
export function refundKey({ paymentId, captureId }: Pick<RefundOrder, 'paymentId' | 'captureId'>): string {
  return `refund/${paymentId}${captureId === '' ? '' : `/${captureId}`}`;
}

/** Of a system without a real provider: the refund's row is all there is of it, for people to look at. */
export const storeProvider: RefundProvider = {
  refund: async () => ({ kind: 'taken' }),
  close: async () => undefined,
};
