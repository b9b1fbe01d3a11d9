/**
 * What a message makes of an order's dispatch, whatever has come before it.
 *
 * Messages come in any order and more than once, so each says how far the order has come, and the furthest is kept:
 *
 * 1. LOCKED comes before both others. A lock that comes late changes nothing, so it never takes up again what was released.
 * 2. SCHEDULED and RELEASED are both final. One follows from a payment that won, the other from a closing that won, and the order's
 *    own row lets only one of them win: hearing of both is a contradiction, never a matter of who came first.
 *
 * A total pure function.
 */
import type { messageTypes } from '../../protocol/src/index.ts';

export const DISPATCH_STATES = ['LOCKED', 'SCHEDULED', 'RELEASED'] as const;
export type DispatchState = (typeof DISPATCH_STATES)[number];

export type DispatchMessage = keyof (typeof messageTypes)['dispatch'];

export type Step =
  | { readonly kind: 'keep' }
  | { readonly kind: 'move'; readonly to: DispatchState }
  /** `detail` is what is said of the order: "the order ...". */
  | { readonly kind: 'contradiction'; readonly detail: string };

/** @param state undefined for an order that nothing was heard of */
export function nextState(state: DispatchState | undefined, message: DispatchMessage): Step {
  switch (message) {
    case 'dispatch.lock':
      return state === undefined ? { kind: 'move', to: 'LOCKED' } : { kind: 'keep' };
    case 'dispatch.schedule':
      switch (state) {
        case undefined:
        case 'LOCKED':
          return { kind: 'move', to: 'SCHEDULED' };
        case 'SCHEDULED':
          return { kind: 'keep' };
        case 'RELEASED':
          return {
            kind: 'contradiction',
            detail:
              'cannot be scheduled as paid: it was released as closed before, and someone must look which is true',
          };
      }
    case 'dispatch.unlock':
      switch (state) {
        case undefined:
        case 'LOCKED':
          return { kind: 'move', to: 'RELEASED' };
        case 'RELEASED':
          return { kind: 'keep' };
        case 'SCHEDULED':
          return {
            kind: 'contradiction',
            detail:
              'cannot be released as closed: it was scheduled as paid before, and someone must look which is true',
          };
      }
  }
}

/** The states that a message takes an order on from, if it was heard of before. */
export function comesFrom(message: DispatchMessage): readonly DispatchState[] {
  return DISPATCH_STATES.filter((state) => nextState(state, message).kind === 'move');
}
