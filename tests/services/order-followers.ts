/**
 * The two services that follow an order's whole way by messages: it was created, and then it was paid or closed. They differ in words.
 */
import { handlersFor as dispatchHandlers } from '../../services/dispatch/src/messages/handlers.ts';
import type { AnyHandler, OnceHandler } from '../../services/kit/src/index.ts';
import { handlersFor as wmsHandlers } from '../../services/wms/src/messages/handlers.ts';
import { ask, payloadsOf, type OrderPayloads, type RunningConsumer } from './running-consumers.ts';
import type { SentMessage } from './message-sender.ts';
import { TEST_NAMESPACE } from './running.ts';

/** What has happened to an order. */
export type OrderEvent = keyof OrderPayloads;

export interface Follower {
  readonly name: 'dispatch' | 'wms';
  /** Of its GET route. */
  readonly collection: string;
  readonly types: Readonly<Record<OrderEvent, string>>;
  /** The state in which each message leaves an order that has heard nothing further. */
  readonly states: Readonly<Record<OrderEvent, string>>;
  /** Why the order cannot be paid, or closed, once it has been the other. */
  readonly contradictions: Readonly<Record<'paid' | 'closed', string>>;
  readonly handlers: readonly AnyHandler[];
}

export const FOLLOWERS: readonly Follower[] = [
  {
    ...{ name: 'dispatch', collection: 'dispatches', handlers: dispatchHandlers(TEST_NAMESPACE) },
    types: { created: 'dispatch.lock', paid: 'dispatch.schedule', closed: 'dispatch.unlock' },
    states: { created: 'LOCKED', paid: 'SCHEDULED', closed: 'RELEASED' },
    contradictions: {
      paid: 'the order cannot be scheduled as paid: it was released as closed before, and someone must look which is true',
      closed:
        'the order cannot be released as closed: it was scheduled as paid before, and someone must look which is true',
    },
  },
  {
    ...{ name: 'wms', collection: 'shipments', handlers: wmsHandlers(TEST_NAMESPACE) },
    types: { created: 'stock.lock', paid: 'stock.outbound', closed: 'stock.release' },
    states: { created: 'LOCKED', paid: 'OUTBOUND', closed: 'RELEASED' },
    contradictions: {
      paid: 'the order cannot go outbound as paid: it was released as closed before, and someone must look which is true',
      closed:
        'the order cannot be released as closed: it went outbound as paid before, and someone must look which is true',
    },
  },
];

export function messageOf({ types }: Follower, event: OrderEvent, orderId: string): SentMessage {
  return { type: types[event], data: payloadsOf(orderId)[event] };
}

export function handlerOf({ handlers }: Pick<Follower, 'handlers'>, type: string): OnceHandler<unknown> {
  const handler = handlers.find((each) => each.type === type);
  if (handler?.kind !== 'once') throw new Error(`${type} is not handled once`);
  return handler;
}

/** Undefined of an order it has not heard of. */
export async function stateIn({ collection }: Follower, { url }: RunningConsumer, orderId: string): Promise<unknown> {
  return (await ask(`${url}/${collection}/${orderId}`)).body.state;
}
