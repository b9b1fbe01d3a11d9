/** Every cell of what a message makes of an order's dispatch. */
import { expect, test } from '@jest/globals';
import { messageTypes } from '../../protocol/src/index.ts';
import {
  DISPATCH_STATES,
  comesFrom,
  nextState,
  type DispatchMessage,
  type DispatchState,
  type Step,
} from './next-state.ts';

const keep: Step = { kind: 'keep' };
const move = (to: DispatchState): Step => ({ kind: 'move', to });
const contradiction = (detail: RegExp): unknown => ({
  kind: 'contradiction',
  detail: expect.stringMatching(detail),
});

const PAID_AFTER_CLOSED = /^cannot be scheduled as paid: it was released/;
const CLOSED_AFTER_PAID = /^cannot be released as closed: it was scheduled/;

const CELLS: readonly (readonly [DispatchState | undefined, DispatchMessage, unknown])[] = [
  [undefined, 'dispatch.lock', move('LOCKED')],
  [undefined, 'dispatch.schedule', move('SCHEDULED')],
  [undefined, 'dispatch.unlock', move('RELEASED')],
  ['LOCKED', 'dispatch.lock', keep],
  ['LOCKED', 'dispatch.schedule', move('SCHEDULED')],
  ['LOCKED', 'dispatch.unlock', move('RELEASED')],
  ['SCHEDULED', 'dispatch.lock', keep],
  ['SCHEDULED', 'dispatch.schedule', keep],
  ['SCHEDULED', 'dispatch.unlock', contradiction(CLOSED_AFTER_PAID)],
  ['RELEASED', 'dispatch.lock', keep],
  ['RELEASED', 'dispatch.schedule', contradiction(PAID_AFTER_CLOSED)],
  ['RELEASED', 'dispatch.unlock', keep],
];

test.each(CELLS)('an order that is %s and hears %s', (state, message, step) => {
  expect(nextState(state, message)).toEqual(step);
});

test('no cell is missing from this table', () => {
  const cells = [undefined, ...DISPATCH_STATES].flatMap((state) =>
    Object.keys(messageTypes.dispatch).map((message) => `${String(state)} ${message}`),
  );
  expect(CELLS.map(([state, message]) => `${String(state)} ${message}`).sort()).toEqual(cells.sort());
});

test('wherever a message takes an order on from, it takes it where it takes one that nothing was heard of', () => {
  const messages = Object.keys(messageTypes.dispatch) as DispatchMessage[];
  for (const message of messages)
    for (const state of comesFrom(message)) expect(nextState(state, message)).toEqual(nextState(undefined, message));
  expect(messages.filter((message) => comesFrom(message).length > 0)).toHaveLength(2);
});
