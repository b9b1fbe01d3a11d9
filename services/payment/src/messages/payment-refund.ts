/**
 * `payment.refund`: the pay-order transaction was cancelled, so what was captured goes back.
 *
 * The refund's row is what a provider would be told. What does not fit the payment as it is known here is refused, never guessed:
 * the transaction stays Stuck in everybody's view until a person has looked at the money.
 */
import type { OnceHandler } from '../../../kit/src/index.ts';
import { payOrderPayloadSchema, type PayOrderPayload } from '../../../protocol/src/index.ts';
import { judgeRefund, lockPayment, refundPayment } from '../payments.ts';

export const paymentRefund: OnceHandler<PayOrderPayload> = {
  kind: 'once',
  type: 'payment.refund',
  data: payOrderPayloadSchema,
  async handle(client, { data, reason, detail }) {
    const { paymentId } = data;
    const verdict = judgeRefund(await lockPayment(client, paymentId), data);
    switch (verdict.kind) {
      case 'refused':
        return { kind: 'refused', reason: verdict.detail };
      case 'done':
        return { kind: 'delivered' };
      case 'refund':
        await refundPayment(client, paymentId, detail || reason || 'no reason was given');
        return { kind: 'delivered' };
    }
  },
};
