/**
 * `stock.lock`, `stock.outbound` and `stock.release`: an order was created, paid, or closed.
 *
 * All three are handled alike; what tells them apart is in next-state.ts.
 */
import type { ZodType } from 'zod';
import type { AnyHandler, OnceHandler } from '../../../kit/src/index.ts';
import { foreignMessage, messageTypes, OTHER_NAMESPACE } from '../../../protocol/src/index.ts';
import type { ShipmentMessage } from '../next-state.ts';
import { advance, advanceUsually, type ShippedOrder } from '../shipments.ts';

/** @param shop the namespace whose messages count */
export function handlersFor(shop: string): readonly AnyHandler[] {
  return [
    advancing('stock.lock', messageTypes.wms['stock.lock'], shop),
    advancing('stock.outbound', messageTypes.wms['stock.outbound'], shop),
    advancing('stock.release', messageTypes.wms['stock.release'], shop),
  ];
}

function advancing<Data extends ShippedOrder>(
  type: ShipmentMessage,
  data: ZodType<Data>,
  shop: string,
): OnceHandler<Data> {
  return {
    ...{ kind: 'once', type, data },
    foreign: ({ origin, data: named }) => foreignMessage(type, origin, named, shop),
    usual: ({ origin, data: order }) => advanceUsually({ ...order, message: type, namespace: origin?.namespace }),
    async handle(client, { origin, data: order }) {
      const step = await advance(client, { ...order, message: type, namespace: origin?.namespace });
      if (step.kind === 'foreign') return OTHER_NAMESPACE;
      if (step.kind === 'contradiction') return { kind: 'refused', reason: `the order ${step.detail}` };
      return { kind: 'delivered' };
    },
  };
}
