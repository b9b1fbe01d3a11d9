/**
 * What a message makes of an order's shipment, whatever has come before it.
 *
 * Messages come in any order and more than once, so each says how far the order has come, and the furthest is kept:
 *
 * 1. LOCKED comes before all others. A lock that comes late changes nothing, so it never takes up again what was released.
 * 2. OUTBOUND and RELEASED exclude each other. One follows from a payment that won, the other from a closing that won, and the
 *    order's own row lets only one of them win: hearing of both is a contradiction, never a matter of who came first.
 * 3. SHIPPED is OUTBOUND taken to its end. No message says so; it is done here (shipments.ts).
 *
 * A total pure function.
 */
import type { messageTypes } from '../../protocol/src/index.ts';

export const SHIPMENT_STATES = ['LOCKED', 'OUTBOUND', 'SHIPPED', 'RELEASED'] as const;
export type ShipmentState = (typeof SHIPMENT_STATES)[number];

export type ShipmentMessage = keyof (typeof messageTypes)['wms'];

export type Step =
  | { readonly kind: 'keep' }
  | { readonly kind: 'move'; readonly to: ShipmentState }
  /** `detail` is what is said of the order: "the order ...". */
  | { readonly kind: 'contradiction'; readonly detail: string };

/** @param state undefined for an order that nothing was heard of */
export function nextState(state: ShipmentState | undefined, message: ShipmentMessage): Step {
  switch (message) {
    case 'stock.lock':
      return state === undefined ? { kind: 'move', to: 'LOCKED' } : { kind: 'keep' };
    case 'stock.outbound':
      switch (state) {
        case undefined:
        case 'LOCKED':
          return { kind: 'move', to: 'OUTBOUND' };
        case 'OUTBOUND':
        case 'SHIPPED':
          return { kind: 'keep' };
        case 'RELEASED':
          return {
            kind: 'contradiction',
            detail: 'cannot go outbound as paid: it was released as closed before, and someone must look which is true',
          };
      }
    case 'stock.release':
      switch (state) {
        case undefined:
        case 'LOCKED':
          return { kind: 'move', to: 'RELEASED' };
        case 'RELEASED':
          return { kind: 'keep' };
        case 'OUTBOUND':
          return {
            kind: 'contradiction',
            detail:
              'cannot be released as closed: it went outbound as paid before, and someone must look which is true',
          };
        case 'SHIPPED':
          return {
            kind: 'contradiction',
            detail: 'cannot be released as closed: it has been shipped, and someone must look why it was closed',
          };
      }
  }
}

/** The states that a message takes an order on from, if it was heard of before. */
export function comesFrom(message: ShipmentMessage): readonly ShipmentState[] {
  return SHIPMENT_STATES.filter((state) => nextState(state, message).kind === 'move');
}
