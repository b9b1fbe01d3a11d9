/**
 * A check: a promise of the contract, and how it is seen kept.
 *
 * Most checks are a list of steps: calls of one fresh branch, each with what its answer has to be. The first answer that is not
 * so ends the check.
 */
import type { Operation } from '../../../services/protocol/src/index.ts';
import type { Bench } from '../bench.ts';
import type { Branch, Variation } from '../calls.ts';
import { problemOf, replayOf, type Expectation } from '../expectations.ts';
import type { PayloadSource } from '../payload-texts.ts';
import type { Answer, Answered } from '../transport.ts';

/** What a check cannot do without. Named after the option that gives it where nothing else does. */
export type Need = 'payload' | 'refused-payload' | 'token';

/** What a run has. A source is absent where no payload was found that is accepted, or refused. */
export interface Means {
  readonly bench: Bench;
  readonly accepted?: PayloadSource;
  readonly refused?: PayloadSource;
  readonly token?: string;
}

export type Finding =
  | { readonly kind: 'right' }
  /** `call` says which call it was, `expected` what the contract wants of its answer. */
  | {
      readonly kind: 'wrong';
      readonly call: string;
      readonly expected: string;
      readonly came: string;
      readonly todo: string;
    }
  /** The state that the check is about was not reached: another check says why. */
  | { readonly kind: 'undriven'; readonly why: string };

export const RIGHT: Finding = { kind: 'right' };

export interface Check {
  /** A sentence about what the participant does. */
  readonly name: string;
  /** Of docs/reference/participant-protocol.md. */
  readonly section: number;
  /** What the contract says there. */
  readonly says: string;
  readonly needs: readonly Need[];
  run(means: Means): Promise<Finding>;
}

export interface Step {
  readonly operation: Operation;
  readonly variation?: Variation;
  readonly expect: Expectation;
  /** Sends it once more, and expects the same. */
  readonly repeated?: true;
}

/** A step that only leads to what the check is about. */
export type Lead = Pick<Step, 'operation' | 'expect'>;

/**
 * Runs steps on a branch; `lead` comes first, and where it goes wrong the check is not driven. Whatever the contract calls a
 * replay has to be like the first such answer of the branch: what a try was answered with, and the words of each refusal.
 */
export async function follow(
  bench: Bench,
  branch: Branch,
  steps: readonly Step[],
  lead: readonly Lead[] = [],
): Promise<Finding> {
  const firstOfKind = new Map<string, Answered>();
  for (const step of lead) {
    const finding = await take(bench, branch, step, firstOfKind);
    if (finding.kind !== 'wrong') continue;
    const { call, expected, came } = finding;
    return { kind: 'undriven', why: `the ${call} that leads there was to be ${expected}; it was ${came}` };
  }
  for (const step of steps) {
    for (let round = 0; round < (step.repeated ? 2 : 1); round++) {
      const finding = await take(bench, branch, step, firstOfKind);
      if (finding.kind !== 'right') {
        return round > 0 && finding.kind === 'wrong' ? { ...finding, call: `${finding.call}, repeated` } : finding;
      }
    }
  }
  return RIGHT;
}

async function take(bench: Bench, branch: Branch, step: Step, firstOfKind: Map<string, Answered>): Promise<Finding> {
  const { operation, variation, expect } = step;
  const answer = await bench.call(branch, operation, variation);
  const call = [operation, ...(variation === undefined ? [] : [variation.words])].join(' ');
  const fault = expect.faultOf(answer);
  if (fault !== undefined) return { kind: 'wrong', call, expected: expect.words, ...fault };
  const kind = kindOfReplay(operation, answer);
  if (answer.kind === 'none' || kind === undefined) return RIGHT;
  const first = firstOfKind.get(kind);
  if (first === undefined) {
    firstOfKind.set(kind, answer);
    return RIGHT;
  }
  const replay = replayOf(first);
  const difference = replay.faultOf(answer);
  return difference === undefined ? RIGHT : { kind: 'wrong', call, expected: replay.words, ...difference };
}

/** Answers of one kind are the same on every repeat; undefined for what may differ: the body of a confirm that was done. */
function kindOfReplay(operation: Operation, answer: Answer): string | undefined {
  if (answer.kind === 'none') return undefined;
  if (answer.status === 409) return `${operation} ${String(problemOf(answer)?.code)}`;
  return operation === 'try' && answer.status >= 200 && answer.status <= 299 ? 'tried' : undefined;
}

/** The payload that a try accepts, or refuses. Checks name what they need, so it is there. */
export function sourceOf(means: Means, need: 'payload' | 'refused-payload'): PayloadSource {
  const source = need === 'payload' ? means.accepted : means.refused;
  if (source === undefined) throw new Error(`a check uses the ${need} but does not name it among its needs`);
  return source;
}
