/** What the API server holds of a spec: what never changes, and what agrees with the decision. */
import { describe } from '@jest/globals';
import { refusesEach } from './illegal-steps.ts';
import { branches, messages, spec, status } from './stored-transaction.ts';

const undecided = status({ phase: 'Trying', branches: branches('Tried', 'Untried') });
const confirming = status({
  phase: 'Confirming',
  decision: 'Confirm',
  branches: branches('Tried', 'Tried'),
  messages: messages('Pending'),
});
const cancelling = status({ phase: 'Cancelling', decision: 'Cancel', branches: branches('Tried', 'Untried') });

describe('an immutable spec', () => {
  const suspend = spec({ suspend: true });
  refusesEach([
    { rule: 'the flow never changes', illegal: spec({ flow: 'pay-order' }), says: /flow .*immutable/, legal: suspend },
    { rule: 'the order never changes', illegal: spec({ orderId: 'o2' }), says: /orderId .*immutable/, legal: suspend },
    {
      rule: 'nothing in the payload changes',
      illegal: spec({ payload: { userId: 'u8' } }),
      says: /payload is immutable/,
      legal: suspend,
    },
    {
      rule: 'nothing is added to the payload',
      illegal: spec({ payload: { more: 1 } }),
      says: /payload is immutable/,
      legal: suspend,
    },
    {
      rule: 'nothing in the payload is renamed, which CEL on the CRD alone does not see',
      illegal: spec({ payload: { userId: null, memberId: 'u7' } }),
      says: /payload is immutable/,
      legal: suspend,
    },
    {
      rule: 'a transaction without status is as immutable as one under way',
      given: [confirming],
      illegal: spec({ payload: { userId: null } }),
      says: /payload is immutable/,
      legal: suspend,
    },
    {
      rule: 'a suspension may end, but the order still cannot change',
      given: [suspend],
      illegal: spec({ suspend: false, orderId: 'o2' }),
      says: /orderId .*immutable/,
      legal: spec({ suspend: false }),
    },
  ]);
});

describe('cancelRequested', () => {
  const request = spec({ cancelRequested: true });
  refusesEach([
    {
      rule: 'a request is not taken back',
      given: [request],
      illegal: spec({ cancelRequested: false }),
      says: /cancelRequested cannot be taken back/,
      legal: request,
    },
    {
      rule: 'a request is not removed',
      given: [request],
      illegal: spec({ cancelRequested: null }),
      says: /cancelRequested cannot be taken back/,
      legal: spec({ suspend: true }),
    },
    {
      rule: 'after Confirm a request is refused',
      given: [confirming],
      illegal: request,
      says: /cancelRequested and decision Confirm exclude each other/,
      legal: spec({ suspend: true }),
    },
    {
      rule: 'after a request Confirm is refused',
      given: [request],
      illegal: confirming,
      says: /cancelRequested and decision Confirm exclude each other/,
      legal: cancelling,
    },
  ]);
});

describe('resolutions', () => {
  const resolve = (target: string, as: string, reason = 'settled by hand, see ticket 17') =>
    spec({ resolutions: [{ target, as, reason }] });
  const tooEarly = /too early to settle: a resolution needs a stored decision/;
  const disagrees =
    /a resolution must agree with the stored decision, which is (Confirm|Cancel) .* and must name a branch or message/;
  refusesEach([
    {
      rule: 'a resolution needs a status',
      illegal: resolve('inventory', 'Cancelled'),
      says: tooEarly,
      legal: spec({ cancelRequested: true }),
    },
    {
      rule: 'a resolution needs a stored decision',
      given: [undecided],
      illegal: resolve('inventory', 'Cancelled'),
      says: tooEarly,
      legal: spec({ cancelRequested: true }),
    },
    {
      rule: 'under Confirm a branch is resolved as Confirmed',
      given: [confirming],
      illegal: resolve('inventory', 'Cancelled'),
      says: disagrees,
      legal: resolve('inventory', 'Confirmed'),
    },
    {
      rule: 'under Cancel a branch is resolved as Cancelled',
      given: [cancelling],
      illegal: resolve('inventory', 'Confirmed'),
      says: disagrees,
      legal: resolve('inventory', 'Cancelled'),
    },
    {
      rule: 'a branch is not resolved as Delivered',
      given: [confirming],
      illegal: resolve('inventory', 'Delivered'),
      says: disagrees,
      legal: resolve('lock-wms', 'Delivered'),
    },
    {
      rule: 'a message is not resolved as Confirmed',
      given: [confirming],
      illegal: resolve('lock-wms', 'Confirmed'),
      says: disagrees,
      legal: resolve('lock-wms', 'Delivered'),
    },
    {
      rule: 'a resolution names a branch of this transaction',
      given: [confirming],
      illegal: resolve('wallet', 'Confirmed'),
      says: disagrees,
      legal: resolve('order', 'Confirmed'),
    },
    {
      rule: 'a resolution is not changed',
      given: [confirming, resolve('inventory', 'Confirmed')],
      illegal: resolve('inventory', 'Confirmed', 'because I say so'),
      says: /a resolution cannot be changed/,
      legal: resolve('inventory', 'Confirmed'),
    },
    {
      rule: 'a resolution is not replaced by another',
      given: [confirming, resolve('inventory', 'Confirmed')],
      illegal: resolve('order', 'Confirmed'),
      says: /resolutions are append-only/,
      legal: spec({
        resolutions: [
          { target: 'order', as: 'Confirmed', reason: 'settled by hand as well' },
          { target: 'inventory', as: 'Confirmed', reason: 'settled by hand, see ticket 17' },
        ],
      }),
    },
    {
      rule: 'no resolution is removed',
      given: [confirming, resolve('inventory', 'Confirmed')],
      illegal: spec({ resolutions: [] }),
      says: /resolutions are append-only/,
      legal: spec({ suspend: true }),
    },
    {
      rule: 'the list of resolutions is not removed',
      given: [confirming, resolve('inventory', 'Confirmed')],
      illegal: spec({ resolutions: null }),
      says: /resolutions cannot be removed/,
      legal: spec({ suspend: true }),
    },
  ]);
});
