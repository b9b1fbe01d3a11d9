/**
 * `points.grant`: an order was paid, so its buyer gets points and growth, once per order.
 *
 * The inbox already keeps one message from working twice. The order's own key also holds when the same payment is told of under
 * another message's id. An order is paid by one payment: a second one is refused, because someone must look at both.
 */
import type { OnceHandler } from '../../../kit/src/index.ts';
import { messageTypes, type PayOrderPayload } from '../../../protocol/src/index.ts';
import { grantOnce } from '../grants.ts';
import { rewardOf } from '../reward.ts';

const PAID_TWICE =
  'the order has had its points for another payment: this one brings none, and someone must look why it was paid twice';

export const pointsGrant: OnceHandler<PayOrderPayload> = {
  kind: 'once',
  type: 'points.grant',
  data: messageTypes.member['points.grant'],
  async handle(client, { data: { orderId, paymentId, userId, amountCents } }) {
    const grantedFor = await grantOnce(client, { orderId, paymentId, userId, ...rewardOf(amountCents) });
    if (grantedFor === paymentId) return { kind: 'delivered' };
    return { kind: 'refused', reason: PAID_TWICE };
  },
};
