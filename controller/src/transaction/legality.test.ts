/**
 * The controller's own belt: each illegal step is named, and the nearest legal one passes.
 */
import { describe, expect, test } from '@jest/globals';
import type { BranchState, Message, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { illegalStep } from './legality.ts';

const branches = (order: BranchState, inventory: BranchState) => [
  { name: 'order', state: order },
  { name: 'inventory', state: inventory },
];
const reliable = (state: Message['state']): Message => ({ name: 'wms', delivery: 'Reliable', state });
const bestEffort = (state: Message['state']): Message => ({ name: 'sms', delivery: 'BestEffort', state });

const trying: OrderTransactionStatus = { phase: 'Trying', branches: branches('Tried', 'Untried') };
const confirming: OrderTransactionStatus = {
  phase: 'Confirming',
  decision: 'Confirm',
  decisionReason: 'AllTried',
  branches: branches('Tried', 'Tried'),
};
const cancelling: OrderTransactionStatus = {
  phase: 'Cancelling',
  decision: 'Cancel',
  decisionReason: 'Refused',
  branches: branches('Tried', 'Refused'),
};
const finishedAt = '2026-01-01T00:00:00Z';
const succeeded: OrderTransactionStatus = {
  ...confirming,
  phase: 'Succeeded',
  finishedAt,
  branches: branches('Confirmed', 'Confirmed'),
};
const delivering: OrderTransactionStatus = { ...succeeded, phase: 'Delivering', messages: [reliable('Pending')] };

describe('legal', () => {
  test.each<[string, OrderTransactionStatus | undefined, OrderTransactionStatus]>([
    ['the first trouble', undefined, trying],
    ['a decision out of nothing', undefined, confirming],
    ['a decision after trouble', trying, confirming],
    ['a cancel of what was never tried', undefined, { ...cancelling, branches: branches('Untried', 'Untried') }],
    ['straight to the end', confirming, succeeded],
    [
      'straight to the end with messages',
      { ...confirming, messages: [reliable('Pending')] },
      { ...succeeded, messages: [reliable('Delivered')] },
    ],
    [
      'a refused reliable message that is delivered later',
      { ...delivering, messages: [reliable('Refused')] },
      { ...succeeded, messages: [reliable('Delivered')] },
    ],
    [
      'a best-effort message that gave up after the end',
      { ...succeeded, messages: [bestEffort('Pending')] },
      { ...succeeded, messages: [bestEffort('GaveUp')] },
    ],
  ])('%s', (_what, before, after) => {
    expect(illegalStep(before, after)).toBeUndefined();
  });
});

describe('illegal', () => {
  test.each<[string, OrderTransactionStatus | undefined, OrderTransactionStatus, RegExp]>([
    ['leaving a final phase', succeeded, confirming, /phase Succeeded does not go on to Confirming/],
    ['changing the decision', confirming, cancelling, /does not go on|write-once/],
    ['a decision stored with its end', trying, succeeded, /does not go on to Succeeded/],
    [
      'a phase without its decision',
      trying,
      { ...trying, phase: 'Confirming' },
      /phase Confirming and decision disagree/,
    ],
    [
      'Confirm with a branch that is not tried',
      trying,
      { ...confirming, branches: branches('Tried', 'Untried') },
      /inventory is Untried under Confirm/,
    ],
    [
      'a confirmed branch under Cancel',
      cancelling,
      { ...cancelling, branches: branches('Confirmed', 'Refused') },
      /order/,
    ],
    [
      'a cancelled branch under Confirm',
      confirming,
      { ...confirming, branches: branches('Cancelled', 'Tried') },
      /order is Cancelled under Confirm/,
    ],
    [
      'a branch that disappears',
      confirming,
      { ...confirming, branches: branches('Tried', 'Tried').slice(1) },
      /branch order was removed/,
    ],
    [
      'a branch added after the decision',
      confirming,
      { ...confirming, branches: [...branches('Tried', 'Tried'), { name: 'wallet', state: 'Tried' }] },
      /fixed once decided/,
    ],
    [
      'an end with an open branch',
      confirming,
      { ...succeeded, branches: branches('Confirmed', 'Tried') },
      /inventory has not ended/,
    ],
    ['an end without its time', confirming, { ...succeeded, finishedAt: undefined }, /says when/],
    [
      'an end with an undelivered message',
      delivering,
      { ...succeeded, messages: [reliable('Pending')] },
      /wms is not delivered/,
    ],
    [
      'a reason that contradicts the decision',
      trying,
      { ...confirming, decisionReason: 'Refused' },
      /reason Refused disagree/,
    ],
    [
      'messages before the decision',
      undefined,
      { ...trying, messages: [reliable('Pending')] },
      /come with the decision/,
    ],
    [
      'a message added after the decision',
      confirming,
      { ...confirming, messages: [reliable('Pending')] },
      /messages are fixed/,
    ],
    ['a message that disappears', delivering, { ...delivering, messages: [] }, /message wms was removed/],
    ['a message that is born delivered', trying, { ...confirming, messages: [reliable('Delivered')] }, /just named/],
    [
      'a delivered message that is pending again',
      { ...delivering, messages: [reliable('Delivered')] },
      delivering,
      /does not leave Delivered/,
    ],
    ['a reliable message given up', delivering, { ...delivering, messages: [reliable('GaveUp')] }, /never given up/],
  ])('%s', (_what, before, after, says) => {
    expect(illegalStep(before, after)).toMatch(says);
  });
});
