/** The names of an order's transactions, and what counts only from them. */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import {
  besides,
  closedOrderIdOf,
  closeName,
  closeNumberOf,
  createdOrderIdOf,
  createName,
  foreignMessage,
  isAttempt,
  OTHER_NAMESPACE,
  paymentIdOf,
  payName,
  sentBy,
  type AttemptMessage,
} from './attempts.ts';
import { messageTypes } from './message-types.ts';
import { originOf } from './messages.ts';

const NAMED = { orderId: 'o1', paymentId: 'p1' };

test('names are made of ids, and give them back', () => {
  expect([createName('o1'), payName('p1'), closeName('o1', 3)]).toEqual(['create-o1', 'pay-p1', 'close-o1-3']);
  expect([createdOrderIdOf('create-o1'), closedOrderIdOf('close-o-1-3'), closeNumberOf('close-o-1-3', 'o-1')]).toEqual([
    ...['o1', 'o-1', 3],
  ]);
  expect(['pay-p-1', 'pay-', 'pay', 'create-o1'].map(paymentIdOf)).toEqual(['p-1', undefined, undefined, undefined]);
});

test.each(['close-o1', 'close-o1-', 'close-o1-0', 'close-o1-01', 'close-o1-1a', 'close-o1-1234567', 'close-o2-1', 'x'])(
  '%s is no close of order o1',
  (name) => {
    expect(closeNumberOf(name, 'o1')).toBe(0);
    expect(isAttempt('close-order', name, NAMED)).toBe(false);
  },
);

test('an attempt has its own name and no other', () => {
  expect(isAttempt('create-order', 'create-o1', NAMED)).toBe(true);
  expect(isAttempt('pay-order', 'pay-p1', NAMED)).toBe(true);
  expect(isAttempt('close-order', 'close-o1-12', NAMED)).toBe(true);
  for (const name of ['pay-p1-again', 'pay-p2', 'pay-o1', 'create-o1-again', 'create-o2', 'close-o1-1-again'])
    for (const flow of ['create-order', 'pay-order', 'close-order'] as const)
      expect(isAttempt(flow, name, NAMED)).toBe(false);
  expect(isAttempt('pay-order', 'pay-undefined', { orderId: 'o1' })).toBe(false);
});

test('other transactions of an order lie where its creation lies', () => {
  expect(besides('shop/create-o1', 'pay-p1')).toBe('shop/pay-p1');
  expect(besides('nonsense', 'pay-p1')).toBeUndefined();
});

test('a message counts from the shop, where it is told which namespace that is', () => {
  const origin = { namespace: 'shop', flow: 'pay-order', name: 'pay-p1', message: 'points' };
  expect(foreignMessage('points.grant', origin, NAMED, 'shop')).toBeUndefined();
  expect(foreignMessage('points.grant', origin, NAMED)).toBeUndefined();
  expect(foreignMessage('points.grant', { ...origin, namespace: 'twin' }, NAMED, 'shop')).toBe(OTHER_NAMESPACE.detail);
});

test('a message comes from a transaction only where id and source speak of one namespace', () => {
  const id = 'shop/pay-p1/refund';
  const origin = { namespace: 'shop', flow: 'pay-order', name: 'pay-p1', message: 'refund' };
  expect(originOf({ id, source: 'ordertx/shop/pay-order' })).toEqual(origin);
  for (const source of ['ordertx/twin/pay-order', 'ordertx/payment', 'ordertx/shop/pay-order/x', ''])
    expect(originOf({ id, source })).toBeUndefined();
  expect(originOf({ id: 'shop/pay-p1', source: 'ordertx/shop/pay-order' })).toBeUndefined();
});

describe('a message counts only', () => {
  const refund = (id: string, source = 'ordertx/shop/pay-order') =>
    foreignMessage('payment.refund', originOf({ id, source }), NAMED);

  test('as what its flow sends from the attempt', () => {
    expect(refund('shop/pay-p1/refund')).toBeUndefined();
  });

  test.each([
    ['a copy of the transaction', 'shop/pay-p1-again/refund', undefined],
    ["another payment's transaction", 'shop/pay-p2/refund', undefined],
    ['another message of the transaction', 'shop/pay-p1/refund-too', undefined],
    ['a flow of somebody else', 'shop/pay-p1/refund', 'ordertx/shop/refunds'],
    ['a service', 'shop/pay-p1/refund', 'ordertx/wms'],
  ])('and not from %s', (_, id, source) => {
    expect(refund(id, source)).toMatch(/^payment\.refund counts only /);
  });
});

interface FlowFile {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly messages: readonly { readonly name: string; readonly type: string }[] };
}

test('every message that a flow sends is held to that flow and its name there, and no other is', () => {
  const flows = ['create-order', 'pay-order', 'close-order'].map((flow) => {
    const url = new URL(`../../../crds/flows/${flow}.yaml`, import.meta.url);
    return parseAllDocuments(readFileSync(url, 'utf8'))[0]?.toJS() as FlowFile;
  });
  const sent = flows.flatMap(({ metadata, spec }) =>
    spec.messages.map((message) => ({ flow: metadata.name, ...message })),
  );
  for (const { flow, name, type } of sent) expect(sentBy(type as AttemptMessage)).toEqual({ flow, message: name });
  const { order, ...followers } = messageTypes;
  expect(sent.map(({ type }) => type).toSorted()).toEqual(Object.values(followers).flatMap(Object.keys).toSorted());
  expect(Object.keys(order)).toEqual(['payment.succeeded', 'wms.shipped']);
});
