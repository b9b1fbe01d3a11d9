/**
 * The provider behind a webhook: a refund is posted to it as JSON, signed, and any 2xx means that it is taken.
 *
 * 1. `Idempotency-Key` names the refund: an answer that is lost leads to the same order once more.
 * 2. `Refund-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<Idempotency-Key>.<body>">`, in the form in which the provider
 *    signs its own calls: so that nobody else gives orders to it, and none is of use for another refund or later.
 */
import { sign, webhook, type WebhookOptions } from '../../../kit/src/index.ts';
import { refundKey, type RefundProvider } from './provider.ts';

export interface RefundWebhookOptions extends WebhookOptions {
  readonly secret: string;
}

export function webhookProvider({ secret, ...options }: RefundWebhookOptions): RefundProvider {
  const hook = webhook(options);
  return {
    async refund(order) {
      const key = refundKey(order);
      const { paymentId, captureId, amountCents, reason } = order;
      const body = JSON.stringify({
        ...{ refundId: key, paymentId, amountCents, reason },
        ...(captureId !== '' && { captureId }),
      });
      const signature = sign({ secret, text: `${key}.${body}`, nowMs: Date.now() });
      return hook.post({ headers: { 'idempotency-key': key, 'refund-signature': signature }, body });
    },
    close: () => hook.close(),
  };
}
