/** What an entry of a stream is taken for, and whom a refusal goes to. */
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { NESTING_MAX } from '../../../protocol/src/index.ts';
import type { OnceHandler } from './handler.ts';
import { EVENT_CHARS_MAX, judge, type Judged } from './judge.ts';

const handler: OnceHandler<{ orderId: string }> = {
  kind: 'once',
  type: 'stock.lock',
  data: z.strictObject({ orderId: z.string(), lines: z.array(z.int()).optional() }),
  handle: async () => ({ kind: 'delivered' }),
};
const shipped: OnceHandler<{ orderId: string }> = {
  ...handler,
  type: 'wms.shipped',
  sentBy: { service: 'wms', about: ({ orderId }) => orderId },
};
const rules = {
  handlers: new Map([handler, shipped].map((each) => [each.type, each])),
  namespaces: ['shop', 'outlet'],
};
const EVENT = {
  specversion: '1.0',
  id: 'shop/create-o1/lock-wms',
  source: 'ordertx/shop/create-order',
  type: 'stock.lock',
  subject: 'o1',
  time: '2026-01-01T00:00:00Z',
  datacontenttype: 'application/json',
  reason: 'AllTried',
  detail: 'all\ntried\0',
  replyto: 'ordertx:receipts:controller-1',
  receipttoken: 'a-token',
  attempt: 3,
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  data: { orderId: 'o1' },
};
const SHIPPED = { type: shipped.type, source: 'ordertx/wms', id: 'wms/wms.shipped/o1' };
const SENDER = { id: EVENT.id, replyTo: EVENT.replyto, token: EVENT.receipttoken };

function judgeText(text: string, ...more: readonly string[]): Judged {
  return judge('5-1', [...more, 'event', text], rules);
}
const judgeEvent = (change: object = {}): Judged => judgeText(JSON.stringify({ ...EVENT, ...change }));

test('an event with a number that cannot be kept digit by digit is refused to its sender, by the field', () => {
  const text = JSON.stringify({ ...EVENT, data: { orderId: 'o1', lines: [1, 2] } }).replace(
    '[1,2]',
    '[1,9007199254740993]',
  );
  expect(judgeText(text)).toEqual({
    ...{ kind: 'refused', type: undefined, sender: SENDER },
    reason: 'data.lines[1]: the number 9007199254740993 cannot be kept digit by digit; send it as a string',
  });
});

test('an event whose data are nested too deep is refused to its sender, and one level less is looked at by its fields', () => {
  const nested = (levels: number): string =>
    JSON.stringify({ ...EVENT, data: 'here' }).replace('"here"', '['.repeat(levels) + ']'.repeat(levels));
  for (const levels of [NESTING_MAX + 1, 5_000])
    expect(judgeText(nested(levels))).toEqual({
      ...{ kind: 'refused', type: undefined, sender: SENDER },
      reason: `data: is nested more than ${NESTING_MAX + 1} levels deep`,
    });
  expect(judgeText(nested(NESTING_MAX))).toMatchObject({ reason: expect.stringMatching(/^data: /) });
});

describe('a good event', () => {
  test('is its handler’s message', () => {
    expect(judgeEvent()).toEqual({
      kind: 'message',
      handler,
      sender: SENDER,
      message: {
        id: EVENT.id,
        type: EVENT.type,
        data: EVENT.data,
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        reason: 'AllTried',
        detail: 'all tried',
        publication: 'attempt 3',
        traceparent: EVENT.traceparent,
        origin: { namespace: 'shop', flow: 'create-order', name: 'create-o1', message: 'lock-wms' },
      },
    });
  });

  test('may lack what is optional; its publication is then named by the entry', () => {
    const { id, source, type, replyto, data } = EVENT;
    const bare = judgeText(JSON.stringify({ specversion: '1.0', id, source, type, replyto, data }));
    expect(bare).toMatchObject({ kind: 'message', message: { publication: 'entry 5-1', reason: '', detail: '' } });
  });

  test('may have extensions and other stream fields that nobody here knows', () => {
    expect(judgeEvent({ tenant: 'x' })).toMatchObject({ kind: 'message' });
    expect(judgeText(JSON.stringify(EVENT), 'event-of', 'somebody')).toMatchObject({ kind: 'message' });
  });

  test('of a service belongs to no namespace', () => {
    expect(judgeEvent(SHIPPED)).toMatchObject({ kind: 'message', handler: shipped, message: { origin: undefined } });
  });

  test('says the same on every publication, and something else where source, type or data differ', () => {
    const digestOf = (change: object) => {
      const judged = judgeEvent(change);
      return judged.kind === 'message' ? judged.message.digest : judged;
    };
    const again = { attempt: 4, time: '2027-01-01T00:00:00Z', replyto: 'ordertx:receipts:x', receipttoken: 'other' };
    expect(digestOf(again)).toBe(digestOf({}));
    expect(digestOf({ data: { orderId: 'o2' } })).not.toBe(digestOf({}));
    expect(digestOf({ source: 'ordertx/shop/pay-order' })).not.toBe(digestOf({}));
  });
});

describe('refused, and its sender is told', () => {
  test.each([
    ['an unknown type', { type: 'stock.smell' }, 'type'],
    ['a missing type', { type: undefined }, 'type'],
    ['another version of CloudEvents', { specversion: '0.3' }, 'specversion'],
    ['data of another form', { data: { orderId: 7 } }, 'data.orderId'],
    ['data with an unknown field', { data: { orderId: 'o1', colour: 'red' } }, 'data.colour'],
    ['a wrong element deep in the data', { data: { orderId: 'o1', lines: [1, 'x'] } }, 'data.lines[1]'],
    ['no data', { data: undefined }, 'data'],
    ['a namespace that is not served', { source: 'ordertx/elsewhere/create-order', id: 'elsewhere/a/b' }, 'elsewhere'],
    ['an id of another namespace than its source', { source: 'ordertx/outlet/create-order' }, 'id: '],
    ['a source that is none', { source: 'ordertx' }, 'source: '],
    ['a source with more to it', { source: 'ordertx/shop/create-order/x' }, 'source: '],
    ["a transaction's message from a service", { source: 'ordertx/wms' }, 'source: '],
    ['data in another format', { datacontenttype: 'text/xml' }, 'datacontenttype'],
    ['a time that is none', { time: 'yesterday' }, 'time'],
    ['an attempt that is no number', { attempt: 'first' }, 'attempt'],
  ])('%s', (_what, change, named) => {
    expect(judgeEvent(change)).toMatchObject({
      kind: 'refused',
      sender: { replyTo: SENDER.replyTo, token: SENDER.token },
      reason: expect.stringContaining(named),
    });
  });

  test.each([
    ['sent by another service', { source: 'ordertx/payment' }, 'source: '],
    ['sent by a transaction', { source: 'ordertx/shop/create-order' }, 'source: '],
    ['under an id of another type', { id: 'wms/wms.returned/o1' }, 'id: '],
    ["under another service's id", { id: 'payment/wms.shipped/o1' }, 'id: '],
    ['under the id of another order', { id: 'wms/wms.shipped/o2' }, 'id: '],
    ["under a transaction's id", { id: 'shop/create-o1/lock-wms' }, 'id: '],
  ])("a service's message %s", (_what, change, named) => {
    expect(judgeEvent({ ...SHIPPED, ...change })).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining(named),
    });
  });
});

describe('refused, and nobody can be told', () => {
  test.each([
    ['no JSON', '{"specversion":'],
    ['JSON that is no object', '[1]'],
    ['null', 'null'],
    ['no id', JSON.stringify({ ...EVENT, id: undefined })],
    ['an empty id', JSON.stringify({ ...EVENT, id: '' })],
    ['no replyto', JSON.stringify({ ...EVENT, replyto: undefined })],
    ['a replyto that is no receipts stream', JSON.stringify({ ...EVENT, replyto: 'ordertx:messages:wms' })],
    ['a replyto that climbs', JSON.stringify({ ...EVENT, replyto: 'ordertx:receipts:../x' })],
    ['far too much', JSON.stringify({ ...EVENT, data: { orderId: 'x'.repeat(EVENT_CHARS_MAX) } })],
  ])('%s', (_what, text) => {
    expect(judgeText(text)).toMatchObject({
      kind: 'refused',
      sender: undefined,
      reason: expect.stringContaining('CloudEvent'),
    });
  });

  test('an entry without the field event, also where a value has that name', () => {
    expect(judge('5-1', ['message', 'event'], rules)).toMatchObject({ kind: 'refused', sender: undefined });
  });
});
