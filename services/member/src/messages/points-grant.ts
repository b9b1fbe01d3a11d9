/**
 * `points.grant`: an order was paid, so its buyer gets points and growth, once per order.
 *
 * The inbox already keeps one message from working twice. The order's own key also holds when the same payment is told of under
 * another message's id. An order is paid by one payment: a second one is refused, because someone must look at both.
 */
import type { OnceHandler, ReceivedMessage } from '../../../kit/src/index.ts';
import { foreignMessage, messageTypes, OTHER_NAMESPACE, type PayOrderPayload } from '../../../protocol/src/index.ts';
import { grantOnce, grantUsually, type Grant } from '../grants.ts';
import { rewardOf } from '../reward.ts';

const PAID_TWICE =
  'the order has had its points for another payment: this one brings none, and someone must look why it was paid twice';

/** @param shop the namespace whose messages count */
export function pointsGrant(shop: string): OnceHandler<PayOrderPayload> {
  return {
    kind: 'once',
    type: 'points.grant',
    data: messageTypes.member['points.grant'],
    foreign: ({ origin, data }) => foreignMessage('points.grant', origin, data, shop),
    usual: (message) => grantUsually(grantOf(message)),
    async handle(client, message) {
      const { paymentId, namespace, ...grant } = grantOf(message);
      const granted = await grantOnce(client, { paymentId, namespace, ...grant });
      if (granted.namespace !== null && granted.namespace !== namespace) return OTHER_NAMESPACE;
      if (granted.paymentId === paymentId) return { kind: 'delivered' };
      return { kind: 'refused', reason: PAID_TWICE };
    },
  };
}

function grantOf({ origin, data }: ReceivedMessage<PayOrderPayload>): Grant {
  const { orderId, paymentId, userId, amountCents } = data;
  return { orderId, paymentId, userId, ...rewardOf(amountCents), namespace: origin?.namespace };
}
