/** What a bug report shows of a transaction: the controller's own words, and none of anybody else's. */
import { expect, test } from '@jest/globals';
import type { OrderTransaction, OrderTransactionStatus } from '../../crds/generated/ordertransaction.ts';
import { withNext } from '../src/transaction/sentences.ts';
import { Redaction } from './redaction.ts';

const SECRET = 'Ada Lovelace may not buy tea';
const NEXT = 'it is asked again at the longest delay, until its data is mended or the branch is settled by hand';
const AT = { lastTransitionTime: '2026-03-01T12:00:00Z' } as const;

function reported(
  status: OrderTransactionStatus,
  annotations: Readonly<Record<string, string>> = {},
): {
  readonly text: string;
  readonly status: OrderTransactionStatus;
  readonly annotations: Readonly<Record<string, string>>;
} {
  const transaction: OrderTransaction = {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction' },
    metadata: { name: 'create-o1', namespace: 'shop', annotations },
    spec: { flow: 'create-order', orderId: 'o1', payload: { userId: 'ada' }, suspend: false, cancelRequested: false },
    status,
  };
  const shown = new Redaction().transaction(transaction) as Pick<ReturnType<typeof reported>, 'status' | 'annotations'>;
  return { ...shown, text: JSON.stringify(shown) };
}

test.each<[string, OrderTransactionStatus]>([
  [
    'a refused try, by which it was cancelled',
    {
      message: `inventory refused: ${SECRET}`,
      branches: [{ name: 'inventory', state: 'Refused', lastError: SECRET }],
      conditions: [
        { type: 'Succeeded', status: 'False', reason: 'Refused', message: `inventory refused: ${SECRET}`, ...AT },
      ],
    },
  ],
  [
    'a refused confirm',
    {
      message: withNext(`the confirm at inventory is not done: refused: ${SECRET}`, NEXT),
      branches: [{ name: 'inventory', state: 'Tried', lastError: `refused: ${SECRET}. Next: ${SECRET}` }],
      conditions: [
        {
          ...{ type: 'Stuck', status: 'True', reason: 'ConfirmRefused', ...AT },
          message: withNext(`the confirm at inventory is not done: refused: ${SECRET}!`, NEXT),
        },
      ],
    },
  ],
  [
    'a refusal beside a branch that has confirmed before',
    {
      message: withNext(
        `order has confirmed it before, so it is not cancelled although inventory refused: ${SECRET}`,
        'those that have not tried are asked again, until their data agrees with the Confirm',
      ),
    },
  ],
  [
    'a refused message',
    {
      message: withNext(
        `the message lock-wms is not delivered: ${SECRET}`,
        'it is published again at the longest delay, until it is taken or settled by hand',
      ),
      messages: [
        { name: 'lock-wms', delivery: 'Reliable', state: 'Refused', lastError: SECRET },
        { name: 'sms', delivery: 'BestEffort', state: 'Pending', lastError: SECRET },
      ],
    },
  ],
  ['a hold', { message: `on hold: inventory (${SECRET} (really)); the deadline runs on` }],
  [
    'a hold until the deadline',
    { message: `no answer to the try within 30 s from order (answered 503), inventory (on hold: ${SECRET})` },
  ],
])('of %s the words of others are left out', (_what, status) => {
  const { text } = reported(status);
  expect(text).not.toContain('Ada');
  expect(text).not.toContain('tea');
  expect(text).toMatch(/\(\d+ characters\)/);
});

test('what is the controller’s own stays, but for ids', () => {
  const { status } = reported({
    message: withNext(
      'the message lock-wms is not delivered: its consumer has sent no receipt: is it running? read its log',
      'it is published again, until its receipt comes',
    ),
    branches: [
      { name: 'inventory', state: 'Tried', lastError: 'refused the connection to shop-7f9c6: is it running?' },
    ],
  });
  expect(status.message).toBe(
    'the message lock-wms is not delivered: its consumer has sent no receipt: is it running? read its log. Next: it is published again, until its receipt comes',
  );
  expect(status.branches?.[0]?.lastError).toMatch(/^refused the connection to id-[0-9a-f]{8}: is it running\?$/);
});

test('of a retry request its token says only which is which, and a traceparent is shown only where it is one', () => {
  const asked = 'asked by Ada Lovelace';
  const { text, status, annotations } = reported(
    { lastHandledRetryAt: asked },
    { 'ordertx.dev/retry-requested-at': asked, 'ordertx.dev/traceparent': asked, 'team.example/owner': 'Ada' },
  );
  expect(text).not.toContain('Ada');
  expect(annotations['ordertx.dev/retry-requested-at']).toBe(status.lastHandledRetryAt);
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  expect(reported({}, { 'ordertx.dev/traceparent': traceparent }).text).toContain(traceparent);
});
