/**
 * `dispatch.lock`, `dispatch.schedule` and `dispatch.unlock`: an order was created, paid, or closed.
 *
 * All three are handled alike; what tells them apart is in next-state.ts.
 */
import type { ZodType } from 'zod';
import type { AnyHandler, OnceHandler } from '../../../kit/src/index.ts';
import { foreignMessage, messageTypes, OTHER_NAMESPACE } from '../../../protocol/src/index.ts';
import { advance, advanceUsually } from '../dispatches.ts';
import type { DispatchMessage } from '../next-state.ts';

/** @param shop the namespace whose messages count */
export function handlersFor(shop: string): readonly AnyHandler[] {
  return [
    advancing('dispatch.lock', messageTypes.dispatch['dispatch.lock'], shop),
    advancing('dispatch.schedule', messageTypes.dispatch['dispatch.schedule'], shop),
    advancing('dispatch.unlock', messageTypes.dispatch['dispatch.unlock'], shop),
  ];
}

function advancing<Data extends { readonly orderId: string }>(
  type: DispatchMessage,
  data: ZodType<Data>,
  shop: string,
): OnceHandler<Data> {
  return {
    ...{ kind: 'once', type, data },
    foreign: ({ origin, data: named }) => foreignMessage(type, origin, named, shop),
    usual: ({ origin, data: { orderId } }) => advanceUsually({ orderId, message: type, namespace: origin?.namespace }),
    async handle(client, { origin, data: { orderId } }) {
      const step = await advance(client, { orderId, message: type, namespace: origin?.namespace });
      if (step.kind === 'foreign') return OTHER_NAMESPACE;
      if (step.kind === 'contradiction') return { kind: 'refused', reason: `the order ${step.detail}` };
      return { kind: 'delivered' };
    },
  };
}
