/**
 * The table of cells.ts, cell by cell and as a whole.
 */
import { describe, expect, test } from '@jest/globals';
import { OPERATIONS } from '../../../protocol/src/index.ts';
import { stepFor, type Step } from './cells.ts';
import type { StoredBranch } from './stored-branch.ts';

const path = '/tcc/book-seats';
const digest = 'd1';
const STORED: Record<StoredBranch['state'], StoredBranch> = {
  None: { state: 'None' },
  Tried: { state: 'Tried', path, digest, payload: '{}', answer: '{"held":2}' },
  Refused: { state: 'Refused', path, digest, payload: '{}', refusal: 'sold out' },
  Confirmed: { state: 'Confirmed', path, digest, answer: '{"held":2}' },
  Cancelled: { state: 'Cancelled', path, digest },
};
const STATES = Object.keys(STORED) as StoredBranch['state'][];

/** A step in one word or two. */
function brief(step: Step): string {
  if (step.kind === 'run-cancel') return `run-cancel ${step.tried ? 'tried' : 'untried'}`;
  if (step.kind !== 'answer') return step.kind;
  const { answer } = step;
  return answer.kind === 'refused' ? answer.code : `${answer.kind} ${answer.kind === 'done' ? answer.state : ''}`;
}

test.each([
  ['None', 'run-try', 'no-try', 'run-cancel untried'],
  ['Tried', 'done Tried', 'run-confirm', 'run-cancel tried'],
  ['Refused', 'refused', 'refused', 'run-cancel untried'],
  ['Confirmed', 'done Confirmed', 'done Confirmed', 'already-confirmed'],
  ['Cancelled', 'cancelled', 'already-cancelled', 'done Cancelled'],
] as const)('%s: try %s, confirm %s, cancel %s', (state, ...steps) => {
  expect(OPERATIONS.map((operation) => brief(stepFor(STORED[state], operation, digest)))).toEqual(steps);
});

describe('another payload', () => {
  test.each(STATES.filter((state) => state !== 'None'))(
    'is a mismatch on try and confirm of a %s branch, and nothing on cancel',
    (state) => {
      expect(brief(stepFor(STORED[state], 'try', 'd2'))).toBe('payload-mismatch');
      expect(brief(stepFor(STORED[state], 'confirm', 'd2'))).toBe('payload-mismatch');
      expect(stepFor(STORED[state], 'cancel', 'd2')).toEqual(stepFor(STORED[state], 'cancel', digest));
    },
  );

  test('of a branch that was cancelled before its try cannot be told, and does not hide that it was cancelled', () => {
    const stored: StoredBranch = { state: 'Cancelled', path, digest: null };
    expect(brief(stepFor(stored, 'try', 'd2'))).toBe('cancelled');
    expect(brief(stepFor(stored, 'confirm', 'd2'))).toBe('already-cancelled');
  });
});

test('every answer carries the stored state, and a replay the stored words', () => {
  for (const state of STATES) {
    for (const operation of OPERATIONS) {
      const step = stepFor(STORED[state], operation, digest);
      if (step.kind === 'answer') expect(step.answer).toMatchObject({ state });
    }
  }
  expect(stepFor(STORED.Refused, 'try', digest)).toMatchObject({ answer: { detail: 'sold out' } });
  expect(stepFor(STORED.Confirmed, 'try', digest)).toMatchObject({ answer: { body: '{"held":2}' } });
});
