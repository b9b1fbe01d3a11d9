/**
 * Calls of one branch at the same time. Whichever comes first, all of them tell the same story afterwards.
 *
 * While they overlap a participant may say that it does not know (5xx, 425, a lost connection): they are asked until it does.
 */
import type { Operation } from '../../../services/protocol/src/index.ts';
import type { Bench } from '../bench.ts';
import type { Branch } from '../calls.ts';
import { done, refusal, replayOf, type Expectation } from '../expectations.ts';
import { wayTo } from './cells.ts';
import { follow, RIGHT, sourceOf, type Check, type Finding, type Means } from './check.ts';

/** Enough to meet in the middle of a database transaction, few enough for the smallest connection pool. */
const CALLS_AT_ONCE = 6;
/** A race that goes wrong one time in three is found with near certainty. */
const ROUNDS = 8;

const ROW_FIRST =
  'take the fence’s row first (insert it, or lock it), so that calls of a branch run one after the other';

async function allAtOnce(bench: Bench, branch: Branch, operation: Operation, expect: Expectation): Promise<Finding> {
  const answers = await Promise.all(
    Array.from({ length: CALLS_AT_ONCE }, () => bench.call(branch, operation, undefined, 'while nobody knows')),
  );
  const call = `${operation}, ${CALLS_AT_ONCE} at the same time`;
  const [first] = answers;
  for (const answer of answers) {
    const fault = expect.faultOf(answer);
    if (fault !== undefined) return { kind: 'wrong', call, expected: `of each ${expect.words}`, ...fault };
    if (operation !== 'try' || first?.kind !== 'answered') continue;
    const replay = replayOf(first);
    const difference = replay.faultOf(answer);
    if (difference !== undefined)
      return { kind: 'wrong', call, expected: replay.words, came: difference.came, todo: ROW_FIRST };
  }
  return RIGHT;
}

async function inRounds(round: (index: number) => Promise<Finding>): Promise<Finding> {
  for (let index = 0; index < ROUNDS; index++) {
    const finding = await round(index);
    if (finding.kind !== 'right') return finding;
  }
  return RIGHT;
}

async function afterTry(means: Means, operation: 'confirm' | 'cancel', expect: Expectation): Promise<Finding> {
  const { branch, lead } = wayTo('Tried', means);
  const tried = await follow(means.bench, branch, [], lead);
  return tried.kind === 'right' ? allAtOnce(means.bench, branch, operation, expect) : tried;
}

/** The cancel is done in any case; the try was before it, or is too late. Afterwards nothing is reserved. */
async function tryAgainstCancel(means: Means, round: number): Promise<Finding> {
  const { bench } = means;
  const branch = bench.begin(sourceOf(means, 'payload'));
  const order: readonly Operation[] = round % 2 === 0 ? ['try', 'cancel'] : ['cancel', 'try'];
  const answers = new Map(
    await Promise.all(
      order.map(
        async (operation) => [operation, await bench.call(branch, operation, undefined, 'while nobody knows')] as const,
      ),
    ),
  );
  const cancel = done('Cancelled', ROW_FIRST);
  const tooLate = refusal(['cancelled'], 'Cancelled', ROW_FIRST);
  const inTime = done('Tried', ROW_FIRST);
  const tried = answers.get('try');
  const cancelled = answers.get('cancel');
  if (tried === undefined || cancelled === undefined) throw new Error('both were called');
  const call = 'try and cancel at the same time';
  const faultOfCancel = cancel.faultOf(cancelled);
  if (faultOfCancel !== undefined)
    return { kind: 'wrong', call, expected: `of the cancel ${cancel.words}`, ...faultOfCancel };
  const faultOfTry = tooLate.faultOf(tried);
  if (faultOfTry !== undefined && inTime.faultOf(tried) !== undefined) {
    return { kind: 'wrong', call, expected: `of the try ${inTime.words}, or ${tooLate.words}`, ...faultOfTry };
  }
  return follow(bench, branch, [
    { operation: 'try', variation: { words: 'once try and cancel have ended' }, expect: tooLate },
    { operation: 'cancel', variation: { words: 'once try and cancel have ended' }, expect: cancel },
  ]);
}

const SAYS = 'concurrent calls of a branch wait for each other at its row';

export const raceChecks: readonly Check[] = [
  {
    name: 'tries at the same time reserve once and hear the same answer',
    ...{ section: 5, says: SAYS, needs: ['payload'] },
    run: (means) =>
      inRounds(() =>
        allAtOnce(means.bench, means.bench.begin(sourceOf(means, 'payload')), 'try', done('Tried', ROW_FIRST)),
      ),
  },
  {
    name: 'confirms at the same time confirm once',
    ...{ section: 5, says: SAYS, needs: ['payload'] },
    run: (means) => afterTry(means, 'confirm', done('Confirmed', ROW_FIRST)),
  },
  {
    name: 'cancels at the same time cancel once',
    ...{ section: 5, says: SAYS, needs: ['payload'] },
    run: (means) => afterTry(means, 'cancel', done('Cancelled', ROW_FIRST)),
  },
  {
    name: 'try and cancel at the same time end cancelled, whichever is first',
    ...{ section: 5, says: SAYS, needs: ['payload'] },
    run: (means) => inRounds((round) => tryAgainstCancel(means, round)),
  },
];
