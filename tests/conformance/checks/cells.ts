/**
 * The 15 cells of the fence's table (section 5), each with its repeat; and the two ways on that cross several of them.
 */
import type { FenceState, Operation } from '../../../services/protocol/src/index.ts';
import type { Branch } from '../calls.ts';
import { done, refusal, type Expectation } from '../expectations.ts';
import { follow, sourceOf, type Check, type Lead, type Means, type Need } from './check.ts';

/** Where a branch can be. `Cancelled first`: by a cancel that came before any try. */
export type Place = FenceState | 'Cancelled first';

const STORE = 'keep the state in the fence’s row, in the same database transaction as the business change';

const TRIED: Expectation = done(
  'Tried',
  `${STORE}; where it is refused for want of stock or money, give a payload that there is enough for with --payload`,
);
const REFUSED: Expectation = refusal(['refused'], 'Refused', `${STORE}: a refusal too, with its words`);
const CONFIRMED: Expectation = done('Confirmed', STORE);
const CANCELLED: Expectation = done('Cancelled', STORE);

interface Way {
  readonly need: Need | undefined;
  readonly lead: readonly Lead[];
}

const WAYS: Readonly<Record<Place, Way>> = {
  None: { need: undefined, lead: [] },
  Tried: { need: 'payload', lead: [{ operation: 'try', expect: TRIED }] },
  Refused: { need: 'refused-payload', lead: [{ operation: 'try', expect: REFUSED }] },
  Confirmed: {
    need: 'payload',
    lead: [
      { operation: 'try', expect: TRIED },
      { operation: 'confirm', expect: CONFIRMED },
    ],
  },
  Cancelled: {
    need: 'payload',
    lead: [
      { operation: 'try', expect: TRIED },
      { operation: 'cancel', expect: CANCELLED },
    ],
  },
  'Cancelled first': { need: undefined, lead: [{ operation: 'cancel', expect: CANCELLED }] },
};

/** A fresh branch on its way to a place: the calls that lead there are still to be made. */
export function wayTo(place: Place, means: Means): { readonly branch: Branch; readonly lead: readonly Lead[] } {
  const { need, lead } = WAYS[place];
  if (need === 'payload' || need === 'refused-payload')
    return { branch: means.bench.begin(sourceOf(means, need)), lead };
  const source = means.accepted ?? means.refused;
  if (source === undefined) throw new Error('a run without any payload has nothing to check');
  return { branch: means.bench.begin(source), lead };
}

export function needsOf(place: Place): readonly Need[] {
  const { need } = WAYS[place];
  return need === undefined ? [] : [need];
}

interface Cell {
  readonly stored: Place;
  readonly operation: Operation;
  readonly does: string;
  readonly expect: Expectation;
  /** Of a branch in no state, the payload decides what becomes of it. */
  readonly payload?: 'payload' | 'refused-payload';
}

const REPLAY = 'answer a repeat from the fence’s row; do not run the try again';
const LATE_TRY =
  'keep the row of a cancel, also of one that came before any try, and refuse every later try: it must never reserve';
const NO_TRY = 'confirm nothing that was not tried here, and store nothing: a confirm without a try is an alarm';
const NOT_BOTH = 'let the first of confirm and cancel stand; the other one is an alarm';

const CELLS: readonly Cell[] = [
  { stored: 'None', operation: 'try', payload: 'payload', does: 'runs, and stores Tried', expect: TRIED },
  {
    stored: 'None',
    operation: 'try',
    payload: 'refused-payload',
    does: 'runs, and stores Refused with its words',
    expect: REFUSED,
  },
  { stored: 'None', operation: 'confirm', does: 'is refused: no-try', expect: refusal(['no-try'], 'None', NO_TRY) },
  {
    stored: 'None',
    operation: 'cancel',
    does: 'stores Cancelled and undoes nothing (empty rollback)',
    expect: done('Cancelled', `take a cancel without a try for done, and store it: ${LATE_TRY}`),
  },
  { stored: 'Tried', operation: 'try', does: 'replays the stored answer', expect: done('Tried', REPLAY) },
  { stored: 'Tried', operation: 'confirm', does: 'runs, and stores Confirmed', expect: CONFIRMED },
  { stored: 'Tried', operation: 'cancel', does: 'runs, and stores Cancelled', expect: CANCELLED },
  { stored: 'Refused', operation: 'try', does: 'replays the refusal', expect: refusal(['refused'], 'Refused', REPLAY) },
  {
    stored: 'Refused',
    operation: 'confirm',
    does: 'is refused',
    expect: refusal(['refused'], 'Refused', `keep refusals in the fence’s row: ${NO_TRY}`),
  },
  { stored: 'Refused', operation: 'cancel', does: 'stores Cancelled and undoes nothing', expect: CANCELLED },
  { stored: 'Confirmed', operation: 'try', does: 'replays the stored answer', expect: done('Confirmed', REPLAY) },
  {
    stored: 'Confirmed',
    operation: 'confirm',
    does: 'is done already',
    expect: done('Confirmed', 'take a repeated confirm for done, and change nothing'),
  },
  {
    stored: 'Confirmed',
    operation: 'cancel',
    does: 'is refused: already-confirmed',
    expect: refusal(['already-confirmed'], 'Confirmed', NOT_BOTH),
  },
  {
    stored: 'Cancelled',
    operation: 'try',
    does: 'is refused: cancelled (suspension)',
    expect: refusal(['cancelled'], 'Cancelled', LATE_TRY),
  },
  {
    stored: 'Cancelled',
    operation: 'confirm',
    does: 'is refused: already-cancelled',
    expect: refusal(['already-cancelled'], 'Cancelled', NOT_BOTH),
  },
  {
    stored: 'Cancelled',
    operation: 'cancel',
    does: 'is done already',
    expect: done('Cancelled', 'take a repeated cancel for done, and give nothing back twice'),
  },
  {
    stored: 'Cancelled first',
    operation: 'try',
    does: 'is refused: cancelled (a late try reserves nothing)',
    expect: refusal(['cancelled'], 'Cancelled', LATE_TRY),
  },
  {
    stored: 'Cancelled first',
    operation: 'confirm',
    does: 'is refused: already-cancelled',
    expect: refusal(['already-cancelled'], 'Cancelled', NOT_BOTH),
  },
  { stored: 'Cancelled first', operation: 'cancel', does: 'is done already', expect: CANCELLED },
];

export const cellChecks: readonly Check[] = [
  ...CELLS.map(cellCheck),
  {
    name: 'a confirm without a try stores nothing: the try after it runs',
    section: 5,
    says: 'none × confirm: 409 no-try, and nothing is stored',
    needs: ['payload'],
    run: (means) =>
      follow(means.bench, means.bench.begin(sourceOf(means, 'payload')), [
        { operation: 'confirm', expect: refusal(['no-try'], 'None', NO_TRY) },
        { operation: 'try', expect: done('Tried', NO_TRY) },
      ]),
  },
  {
    name: 'a refused branch that was cancelled reserves nothing any more either',
    section: 5,
    says: 'Refused × cancel stores Cancelled; Cancelled × try is 409 cancelled',
    needs: ['refused-payload'],
    run: (means) => {
      const { branch, lead } = wayTo('Refused', means);
      const steps = [
        { operation: 'cancel', expect: CANCELLED },
        { operation: 'try', expect: refusal(['cancelled'], 'Cancelled', LATE_TRY), repeated: true },
      ] as const;
      return follow(means.bench, branch, steps, lead);
    },
  },
];

function cellCheck({ stored, operation, does, expect, payload }: Cell): Check {
  const place = stored === 'None' ? 'none' : stored;
  return {
    name: `${place} × ${operation}: ${does}`,
    section: 5,
    says: `the fence's table: ${place} × ${operation} ${does}`,
    needs: payload === undefined ? needsOf(stored) : [payload],
    run: (means) => {
      const { branch, lead } =
        payload === undefined
          ? wayTo(stored, means)
          : { branch: means.bench.begin(sourceOf(means, payload)), lead: [] };
      return follow(means.bench, branch, [{ operation, expect, repeated: true }], lead);
    },
  };
}
