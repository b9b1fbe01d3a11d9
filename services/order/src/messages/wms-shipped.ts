/**
 * `wms.shipped`: the warehouse has handed the order over, so a PAID order is SHIPPED.
 *
 * The warehouse may be faster than this service: an order that is not PAID yet is left without a receipt, and the message comes
 * again. One that can never be PAID is refused, because goods have left the warehouse that should not have: someone must look.
 */
import type { OnceHandler } from '../../../kit/src/index.ts';
import { wmsShippedSchema, type WmsShipped } from '../../../protocol/src/index.ts';
import { lockOrder, moveOrder } from '../held-order.ts';

export const wmsShipped: OnceHandler<WmsShipped> = {
  kind: 'once',
  type: 'wms.shipped',
  data: wmsShippedSchema,
  sentBy: { service: 'wms', about: ({ orderId }) => orderId },
  async handle(client, { data: { orderId } }) {
    const order = await lockOrder(client, orderId);
    switch (order?.status) {
      case undefined:
        return { kind: 'refused', reason: `there is no order ${orderId}` };
      case 'PAID':
        await moveOrder(client, orderId, { status: 'SHIPPED' });
        return { kind: 'delivered' };
      case 'SHIPPED':
      case 'RECEIVED':
        return { kind: 'delivered' };
      case 'INIT':
      case 'PENDING_PAYMENT':
      case 'PAYING':
      case 'CLOSING':
        return { kind: 'not-yet', detail: `order ${orderId} is ${order.status}, not PAID` };
      case 'CLOSED':
      case 'CANCELLED':
        return { kind: 'refused', reason: `order ${orderId} is ${order.status}: it should not have been shipped` };
    }
  },
};
