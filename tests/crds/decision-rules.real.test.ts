/** What the API server holds of a decision: when it may be stored, with what, and that it stays. */
import { describe } from '@jest/globals';
import { refusesEach } from './illegal-steps.ts';
import { branches, messages, status } from './stored-transaction.ts';

const trying = status({ phase: 'Trying', branches: branches('Tried', 'Untried') });
const allTried = status({ phase: 'Trying', branches: branches('Tried', 'Tried') });
const confirming = status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Tried', 'Tried') });
const cancelling = status({ phase: 'Cancelling', decision: 'Cancel', branches: branches('Tried', 'Untried') });
const succeeded = status({ phase: 'Succeeded', decision: 'Confirm', branches: branches('Confirmed', 'Confirmed') });
const cancelled = status({ phase: 'Cancelled', decision: 'Cancel', branches: branches('Cancelled', 'Cancelled') });

describe('storing a decision', () => {
  refusesEach([
    {
      rule: 'a decision is stored on its own: not together with its outcome on a new transaction',
      illegal: succeeded,
      says: /decision is stored on its own, with phase Confirming or Cancelling/,
      legal: confirming,
    },
    {
      rule: 'a decision is stored on its own: not together with the end of the tries',
      given: [allTried],
      illegal: status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Confirmed', 'Tried') }),
      says: /decision is stored on its own, before anything is confirmed or cancelled/,
      legal: confirming,
    },
    {
      rule: 'a decision is stored on its own: Cancel has cancelled nothing yet',
      given: [trying],
      illegal: status({ phase: 'Cancelling', decision: 'Cancel', branches: branches('Tried', 'Cancelled') }),
      says: /decision is stored on its own, before anything is confirmed or cancelled/,
      legal: cancelling,
    },
    {
      rule: 'no branch is first seen as ended',
      illegal: status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Confirmed', 'Tried') }),
      says: /illegal branch step to Confirmed: a branch goes from Untried to Tried or Refused/,
      legal: confirming,
    },
    {
      rule: 'a decision names its branches',
      illegal: status({ phase: 'Confirming', decision: 'Confirm' }),
      says: /a decision names its branches/,
      legal: confirming,
    },
    {
      rule: 'a decision names at least one branch',
      illegal: status({ phase: 'Cancelling', decision: 'Cancel', branches: [] }),
      says: /branches in body should have at least 1 items/,
      legal: cancelling,
    },
    {
      rule: 'Confirm needs every branch Tried: none may be without an answer',
      given: [trying],
      illegal: status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Tried', 'Untried') }),
      says: /Confirm needs every branch Tried/,
      legal: confirming,
    },
    {
      rule: 'Confirm needs every branch Tried: none may have refused',
      illegal: status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Tried', 'Refused') }),
      says: /Confirm needs every branch Tried/,
      legal: status({ phase: 'Cancelling', decision: 'Cancel', branches: branches('Tried', 'Refused') }),
    },
    {
      rule: 'Confirming needs the decision Confirm',
      illegal: status({ phase: 'Confirming', decision: 'Cancel', branches: branches('Tried', 'Tried') }),
      says: /phase and decision disagree/,
      legal: confirming,
    },
    {
      rule: 'Cancelling needs the decision Cancel',
      illegal: status({ phase: 'Cancelling', decision: 'Confirm', branches: branches('Tried', 'Tried') }),
      says: /phase and decision disagree/,
      legal: cancelling,
    },
    {
      rule: 'a phase past the decision needs a decision',
      illegal: status({ phase: 'Confirming', branches: branches('Tried', 'Tried') }),
      says: /phase and decision disagree/,
      legal: confirming,
    },
    {
      rule: 'Trying is undecided',
      illegal: status({ phase: 'Trying', decision: 'Confirm', branches: branches('Tried', 'Tried') }),
      says: /phase and decision disagree/,
      legal: allTried,
    },
    {
      rule: 'an absent phase counts as Pending, which is undecided',
      illegal: status({ decision: 'Confirm', branches: branches('Tried', 'Tried') }),
      says: /phase and decision disagree/,
      legal: status({ branches: branches('Tried', 'Tried') }),
    },
  ]);
});

describe('a stored decision', () => {
  refusesEach([
    {
      rule: 'Confirm never becomes Cancel',
      given: [confirming],
      illegal: cancelling,
      says: /decision is write-once/,
      legal: succeeded,
    },
    {
      rule: 'Cancel never becomes Confirm',
      given: [status({ phase: 'Cancelling', decision: 'Cancel', branches: branches('Tried', 'Tried') })],
      illegal: confirming,
      says: /decision is write-once/,
      legal: cancelled,
    },
    {
      rule: 'a decision does not change under Delivering, which both decisions know',
      given: [
        confirming,
        status({ phase: 'Delivering', decision: 'Confirm', branches: branches('Confirmed', 'Confirmed') }),
      ],
      illegal: status({ phase: 'Delivering', decision: 'Cancel', branches: branches('Confirmed', 'Confirmed') }),
      says: /decision is write-once/,
      legal: succeeded,
    },
    {
      rule: 'a decision is not taken back together with its phase',
      given: [confirming],
      illegal: status({ branches: branches('Tried', 'Tried') }),
      says: /decision is write-once/,
      legal: confirming,
    },
    {
      rule: 'a decision is not removed from under its phase',
      given: [confirming],
      illegal: status({ phase: 'Confirming', branches: branches('Tried', 'Tried') }),
      says: /decision is write-once/,
      legal: succeeded,
    },
    {
      rule: 'a status is not removed',
      given: [confirming],
      illegal: { kind: 'statusRemoved' },
      says: /status cannot be removed/,
      legal: succeeded,
    },
    {
      rule: 'an undecided status is not removed either',
      given: [trying],
      illegal: { kind: 'statusRemoved' },
      says: /status cannot be removed/,
      legal: trying,
    },
    {
      rule: 'no branch is Confirmed under Cancel',
      given: [cancelling],
      illegal: status({ phase: 'Cancelling', decision: 'Cancel', branches: branches('Confirmed', 'Cancelled') }),
      says: /no branch is Confirmed under Cancel/,
      legal: status({ phase: 'Cancelling', decision: 'Cancel', branches: branches('Tried', 'Cancelled') }),
    },
    {
      rule: 'no branch is Cancelled under Confirm',
      given: [confirming],
      illegal: status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Confirmed', 'Cancelled') }),
      says: /under it a branch is Tried or Confirmed/,
      legal: status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Confirmed', 'Tried') }),
    },
    {
      rule: 'no branch is Confirmed before the decision',
      given: [allTried],
      illegal: status({ phase: 'Trying', branches: branches('Confirmed', 'Tried') }),
      says: /no branch is Confirmed or Cancelled before the decision/,
      legal: allTried,
    },
    {
      rule: 'no branch is Cancelled before the decision',
      given: [trying],
      illegal: status({ phase: 'Trying', branches: branches('Tried', 'Cancelled') }),
      says: /no branch is Confirmed or Cancelled before the decision/,
      legal: status({ phase: 'Trying', branches: branches('Tried', 'Refused') }),
    },
  ]);
});

describe('the messages that a decision names', () => {
  const decided = { decision: 'Confirm', branches: branches('Tried', 'Tried') } as const;
  const ended = { decision: 'Confirm', branches: branches('Confirmed', 'Confirmed') } as const;
  const named = status({ ...decided, phase: 'Confirming', messages: messages('Pending') });
  const delivering = status({ ...ended, phase: 'Delivering', messages: messages('Pending') });
  refusesEach([
    {
      rule: 'no message is removed',
      given: [named],
      illegal: status({ ...decided, phase: 'Confirming', messages: messages('Pending').slice(0, 1) }),
      says: /messages are those that the decision's write named/,
      legal: delivering,
    },
    {
      rule: 'no message is replaced by another',
      given: [named],
      illegal: status({
        ...decided,
        phase: 'Confirming',
        messages: messages('Pending').map((message) => ({ ...message, name: `other-${message.name}` })),
      }),
      says: /messages are those that the decision's write named/,
      legal: delivering,
    },
    {
      rule: 'no message is added later',
      given: [named],
      illegal: status({
        ...decided,
        phase: 'Confirming',
        messages: [...messages('Pending'), { name: 'late', delivery: 'Reliable', state: 'Pending' }],
      }),
      says: /messages are those that the decision's write named/,
      legal: status({ ...decided, phase: 'Confirming', messages: messages('Pending').toReversed() }),
    },
    {
      rule: 'the list of messages is not removed',
      given: [delivering].flatMap((step) => [named, step]),
      illegal: status({ ...ended, phase: 'Succeeded' }),
      says: /messages cannot be removed/,
      legal: status({ ...ended, phase: 'Succeeded', messages: messages('Delivered') }),
    },
    {
      rule: 'a reliable message does not become a best-effort one',
      given: [named, delivering],
      illegal: status({
        ...ended,
        phase: 'Succeeded',
        messages: messages('Pending').map((message) => ({ ...message, delivery: 'BestEffort' })),
      }),
      says: /a message's delivery cannot change/,
      legal: status({ ...ended, phase: 'Delivering', messages: messages('Refused') }),
    },
    {
      rule: 'a delivered message stays delivered',
      given: [named, status({ ...ended, phase: 'Delivering', messages: messages('Delivered') })],
      illegal: delivering,
      says: /illegal message step from Delivered to Pending: Delivered is final/,
      legal: status({ ...ended, phase: 'Succeeded', messages: messages('Delivered') }),
    },
    {
      rule: 'a message that was given up stays so',
      given: [named, status({ ...ended, phase: 'Delivering', messages: messages('Refused', 'GaveUp') })],
      illegal: status({ ...ended, phase: 'Delivering', messages: messages('Refused', 'Delivered') }),
      says: /illegal message step from GaveUp to Delivered: GaveUp is final/,
      legal: status({ ...ended, phase: 'Delivering', messages: messages('Delivered', 'GaveUp') }),
    },
  ]);
});
