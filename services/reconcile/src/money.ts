/**
 * What must hold of payments: money that came in is applied to one order or given back, and never both.
 */
import type { Books } from './books.ts';
import type { Found } from './violation.ts';

export const PAID_STATUSES: readonly string[] = ['PAID', 'SHIPPED', 'RECEIVED'];

export function* paymentsNobodyApplied({ orders, payments }: Books): Found {
  for (const [paymentId, { orderId, status, capturedCents, refundedCents }] of payments ?? []) {
    const order = orders.get(orderId);
    const applied = order?.paymentId === paymentId;
    const refunded = refundedCents !== null;
    const ids = [paymentId, orderId];
    if (refunded !== (status === 'REFUNDED' || status === 'REFUNDING'))
      yield { ids, says: `payment ${paymentId} is ${status}, and its refund is ${refunded ? '' : 'not '}there` };
    if (refunded && refundedCents !== capturedCents)
      yield { ids, says: `payment ${paymentId} captured ${capturedCents ?? 0} cents and refunded ${refundedCents}` };
    if (capturedCents !== null && applied === refunded) {
      const is = order === undefined ? 'not there' : order.status;
      const says = applied ? 'is applied and refunded' : 'is neither applied nor refunded';
      yield { ids, says: `payment ${paymentId} ${says}; order ${orderId} is ${is}` };
    }
  }
}

export function* surplusNobodyGaveBack({ payments }: Books): Found {
  for (const [paymentId, { orderId, surplus }] of payments ?? []) {
    for (const { captureId, cents, refundedCents } of surplus) {
      if (refundedCents === cents) continue;
      const given = refundedCents === null ? 'nothing is' : `${refundedCents} are`;
      const says = `payment ${paymentId} was captured once more, with ${cents} cents (${captureId}), and ${given} given back`;
      yield { ids: [paymentId, orderId], says };
    }
  }
}

export function* wrongPayments({ orders, payments }: Books): Found {
  for (const [orderId, { status, paymentId, totalCents }] of orders) {
    if (PAID_STATUSES.includes(status) !== (paymentId !== null))
      yield { ids: [orderId], says: `order ${orderId} is ${status}, and its payment is ${paymentId ?? 'not there'}` };
    if (payments === undefined || paymentId === null) continue;
    const payment = payments.get(paymentId);
    if (payment?.orderId !== orderId || payment.capturedCents !== totalCents) {
      const of =
        payment === undefined ? 'is not there' : `captured ${payment.capturedCents ?? 0} cents for ${payment.orderId}`;
      yield {
        ids: [orderId, paymentId],
        says: `order ${orderId} costs ${totalCents} cents; payment ${paymentId} ${of}`,
      };
    }
  }
}
