/** What the API server holds of a transaction's way: which steps phases and branches take, and what an end needs. */
import { describe } from '@jest/globals';
import { refusesEach } from './illegal-steps.ts';
import { branches, messages, status } from './stored-transaction.ts';

const confirm = { decision: 'Confirm' } as const;
const cancel = { decision: 'Cancel' } as const;
const bothTried = branches('Tried', 'Tried');
const bothConfirmed = branches('Confirmed', 'Confirmed');
const bothCancelled = branches('Cancelled', 'Cancelled');

const trying = status({ phase: 'Trying', branches: branches('Tried', 'Untried') });
const confirming = status({ ...confirm, phase: 'Confirming', branches: bothTried });
const cancelling = status({ ...cancel, phase: 'Cancelling', branches: bothTried });
const delivering = status({ ...confirm, phase: 'Delivering', branches: bothConfirmed });
const succeeded = status({ ...confirm, phase: 'Succeeded', branches: bothConfirmed });
const cancelled = status({ ...cancel, phase: 'Cancelled', branches: bothCancelled });

describe('phases', () => {
  refusesEach([
    {
      rule: 'Succeeded is final',
      given: [confirming, succeeded],
      illegal: delivering,
      says: /illegal phase step to Delivering: nothing leaves a final phase/,
      legal: status({ ...confirm, phase: 'Succeeded', branches: bothConfirmed, expires: '2026-11-22T23:15Z' }),
    },
    {
      rule: 'Cancelled is final',
      given: [cancelling, cancelled],
      illegal: status({ ...cancel, phase: 'Delivering', branches: bothCancelled }),
      says: /illegal phase step to Delivering: nothing leaves a final phase/,
      legal: status({ ...cancel, phase: 'Cancelled', branches: bothCancelled, message: 'out of stock' }),
    },
    {
      rule: 'a final phase cannot be removed',
      given: [confirming, succeeded],
      illegal: status({ ...confirm, branches: bothConfirmed }),
      says: /phase and decision disagree/,
      legal: succeeded,
    },
    {
      rule: 'Trying does not go back to Pending',
      given: [trying],
      illegal: status({ phase: 'Pending', branches: branches('Tried', 'Untried') }),
      says: /illegal phase step to Pending/,
      legal: trying,
    },
    {
      rule: 'the tries do not end in Delivering without a stored decision',
      given: [trying],
      illegal: delivering,
      says: /illegal phase step to Delivering/,
      legal: confirming,
    },
    {
      rule: 'Delivering does not go back to Confirming',
      given: [confirming, delivering],
      illegal: status({ ...confirm, phase: 'Confirming', branches: bothConfirmed }),
      says: /illegal phase step to Confirming/,
      legal: succeeded,
    },
    {
      rule: 'Confirming does not end in Cancelled',
      given: [confirming],
      illegal: status({ ...confirm, phase: 'Cancelled', branches: bothConfirmed }),
      says: /illegal phase step to Cancelled/,
      legal: succeeded,
    },
    {
      rule: 'Delivering after Confirm does not end in Cancelled',
      given: [confirming, delivering],
      illegal: status({ ...confirm, phase: 'Cancelled', branches: bothConfirmed }),
      says: /phase and decision disagree/,
      legal: succeeded,
    },
    {
      rule: 'a transaction may wait as Pending and then be decided',
      given: [status({ phase: 'Pending' })],
      illegal: succeeded,
      says: /illegal phase step to Succeeded/,
      legal: confirming,
    },
  ]);
});

describe('branches', () => {
  refusesEach([
    {
      rule: 'a tried branch is not untried again',
      given: [trying],
      illegal: status({ phase: 'Trying', branches: branches('Untried', 'Untried') }),
      says: /illegal branch step to Untried/,
      legal: status({ phase: 'Trying', branches: branches('Tried', 'Refused') }),
    },
    {
      rule: 'a tried branch does not refuse any more',
      given: [trying],
      illegal: status({ phase: 'Trying', branches: branches('Refused', 'Untried') }),
      says: /illegal branch step to Refused/,
      legal: cancelling,
    },
    {
      rule: 'a refused branch is not tried after all',
      given: [status({ phase: 'Trying', branches: branches('Tried', 'Refused') })],
      illegal: confirming,
      says: /illegal branch step to Tried/,
      legal: status({ ...cancel, phase: 'Cancelling', branches: branches('Tried', 'Refused') }),
    },
    {
      rule: 'a confirmed branch stays confirmed',
      given: [confirming, status({ ...confirm, phase: 'Confirming', branches: branches('Confirmed', 'Tried') })],
      illegal: confirming,
      says: /illegal branch step to Tried/,
      legal: delivering,
    },
    {
      rule: 'a cancelled branch stays cancelled',
      given: [cancelling, status({ ...cancel, phase: 'Cancelling', branches: branches('Cancelled', 'Tried') })],
      illegal: cancelling,
      says: /illegal branch step to Tried/,
      legal: cancelled,
    },
    {
      rule: 'no branch disappears while undecided',
      given: [trying],
      illegal: status({ phase: 'Trying', branches: branches('Tried', 'Untried').slice(1) }),
      says: /branches cannot be removed/,
      legal: trying,
    },
    {
      rule: 'no branch is replaced by another',
      given: [trying],
      illegal: status({
        phase: 'Trying',
        branches: [
          { name: 'order', state: 'Tried' },
          { name: 'stock', state: 'Untried' },
        ],
      }),
      says: /branches cannot be removed/,
      legal: status({ phase: 'Trying', branches: branches('Tried', 'Untried').toReversed() }),
    },
    {
      rule: 'the list of branches is not removed',
      given: [trying],
      illegal: status({ phase: 'Trying' }),
      says: /branches cannot be removed/,
      legal: trying,
    },
    {
      rule: 'a branch may be added while all are open, but not once one has ended',
      given: [confirming, status({ ...confirm, phase: 'Confirming', branches: branches('Confirmed', 'Tried') })],
      illegal: status({
        ...confirm,
        phase: 'Confirming',
        branches: [...branches('Confirmed', 'Tried'), { name: 'wallet', state: 'Tried' }],
      }),
      says: /branches cannot be removed, nor added once one has ended/,
      legal: status({ ...confirm, phase: 'Confirming', branches: bothConfirmed }),
    },
    {
      rule: 'a branch that is added has not ended',
      given: [status({ phase: 'Trying', branches: bothTried.slice(1) })],
      illegal: status({ phase: 'Trying', branches: branches('Cancelled', 'Tried') }),
      says: /illegal branch step to Cancelled/,
      legal: status({ phase: 'Trying', branches: bothTried }),
    },
    {
      rule: 'no branch disappears once decided',
      given: [confirming],
      illegal: status({ ...confirm, phase: 'Confirming', branches: bothTried.slice(1) }),
      says: /branches cannot be removed/,
      legal: confirming,
    },
    {
      rule: 'the list of branches is not removed once decided',
      given: [confirming],
      illegal: status({ ...confirm, phase: 'Confirming' }),
      says: /a decision names its branches/,
      legal: confirming,
    },
  ]);
});

describe('an end', () => {
  const withMessages = status({ ...confirm, phase: 'Confirming', branches: bothTried, messages: messages('Pending') });
  refusesEach([
    {
      rule: 'Succeeded needs every branch Confirmed',
      given: [confirming],
      illegal: status({ ...confirm, phase: 'Succeeded', branches: branches('Confirmed', 'Tried') }),
      says: /every branch must have ended as decided before Succeeded/,
      legal: status({ ...confirm, phase: 'Confirming', branches: branches('Confirmed', 'Tried') }),
    },
    {
      rule: 'Cancelled needs every branch Cancelled',
      given: [cancelling],
      illegal: status({ ...cancel, phase: 'Cancelled', branches: branches('Cancelled', 'Tried') }),
      says: /every branch must have ended as decided before Cancelled/,
      legal: cancelled,
    },
    {
      rule: 'Delivering needs every branch ended',
      given: [withMessages],
      illegal: status({
        ...confirm,
        phase: 'Delivering',
        branches: branches('Tried', 'Confirmed'),
        messages: messages('Pending'),
      }),
      says: /every branch must have ended as decided before Delivering/,
      legal: status({ ...confirm, phase: 'Delivering', branches: bothConfirmed, messages: messages('Pending') }),
    },
    {
      rule: 'Succeeded needs every reliable message delivered, and may come straight after Confirming',
      given: [withMessages],
      illegal: status({
        ...confirm,
        phase: 'Succeeded',
        branches: bothConfirmed,
        messages: messages('Refused', 'Delivered'),
      }),
      says: /every reliable message must be delivered before a final phase/,
      legal: status({ ...confirm, phase: 'Succeeded', branches: bothConfirmed, messages: messages('Delivered') }),
    },
    {
      rule: 'Cancelled needs every reliable message delivered, too',
      given: [status({ ...cancel, phase: 'Cancelling', branches: bothTried, messages: messages('Pending') })],
      illegal: status({ ...cancel, phase: 'Cancelled', branches: bothCancelled, messages: messages('Pending') }),
      says: /every reliable message must be delivered before a final phase/,
      legal: status({ ...cancel, phase: 'Cancelled', branches: bothCancelled, messages: messages('Delivered') }),
    },
    {
      rule: 'a best-effort message may come to its end after the final phase, a reliable one has come to it before',
      given: [
        withMessages,
        status({ ...confirm, phase: 'Succeeded', branches: bothConfirmed, messages: messages('Delivered') }),
      ],
      illegal: status({
        ...confirm,
        phase: 'Succeeded',
        branches: bothConfirmed,
        messages: messages('Refused', 'GaveUp'),
      }),
      says: /illegal message step from Delivered to Refused/,
      legal: status({
        ...confirm,
        phase: 'Succeeded',
        branches: bothConfirmed,
        messages: messages('Delivered', 'GaveUp'),
      }),
    },
  ]);
});
