/** Every cell of what a message makes of an order's shipment. */
import { expect, test } from '@jest/globals';
import { messageTypes } from '../../protocol/src/index.ts';
import {
  comesFrom,
  nextState,
  SHIPMENT_STATES,
  type ShipmentMessage,
  type ShipmentState,
  type Step,
} from './next-state.ts';

const keep: Step = { kind: 'keep' };
const move = (to: ShipmentState): Step => ({ kind: 'move', to });
const contradiction = (detail: RegExp): unknown => ({
  kind: 'contradiction',
  detail: expect.stringMatching(detail),
});

const PAID_AFTER_CLOSED = /^cannot go outbound as paid: it was released/;
const CLOSED_AFTER_PAID = /^cannot be released as closed: it went outbound/;
const CLOSED_AFTER_SHIPPED = /^cannot be released as closed: it has been shipped/;

const CELLS: readonly (readonly [ShipmentState | undefined, ShipmentMessage, unknown])[] = [
  [undefined, 'stock.lock', move('LOCKED')],
  [undefined, 'stock.outbound', move('OUTBOUND')],
  [undefined, 'stock.release', move('RELEASED')],
  ['LOCKED', 'stock.lock', keep],
  ['LOCKED', 'stock.outbound', move('OUTBOUND')],
  ['LOCKED', 'stock.release', move('RELEASED')],
  ['OUTBOUND', 'stock.lock', keep],
  ['OUTBOUND', 'stock.outbound', keep],
  ['OUTBOUND', 'stock.release', contradiction(CLOSED_AFTER_PAID)],
  ['SHIPPED', 'stock.lock', keep],
  ['SHIPPED', 'stock.outbound', keep],
  ['SHIPPED', 'stock.release', contradiction(CLOSED_AFTER_SHIPPED)],
  ['RELEASED', 'stock.lock', keep],
  ['RELEASED', 'stock.outbound', contradiction(PAID_AFTER_CLOSED)],
  ['RELEASED', 'stock.release', keep],
];

test.each(CELLS)('an order that is %s and hears %s', (state, message, step) => {
  expect(nextState(state, message)).toEqual(step);
});

test('no cell is missing from this table', () => {
  const cells = [undefined, ...SHIPMENT_STATES].flatMap((state) =>
    Object.keys(messageTypes.wms).map((message) => `${String(state)} ${message}`),
  );
  expect(CELLS.map(([state, message]) => `${String(state)} ${message}`).sort()).toEqual(cells.sort());
});

test('wherever a message takes an order on from, it takes it where it takes one that nothing was heard of', () => {
  const messages = Object.keys(messageTypes.wms) as ShipmentMessage[];
  for (const message of messages)
    for (const state of comesFrom(message)) expect(nextState(state, message)).toEqual(nextState(undefined, message));
  expect(messages.filter((message) => comesFrom(message).length > 0)).toHaveLength(2);
});
