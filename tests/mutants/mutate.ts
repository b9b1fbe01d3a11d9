/**
 * Makes one mistake in one text, and says what a test run means for it.
 */
import type { Mutant } from './mutant.ts';

export type Mutation =
  | { readonly kind: 'mutated'; readonly text: string }
  /** The code has moved on: the definition has to follow it, or the promise is kept elsewhere now. */
  | { readonly kind: 'misplaced'; readonly found: number };

export function mutate(text: string, { find, replace }: Pick<Mutant, 'find' | 'replace'>): Mutation {
  const found = text.split(find).length - 1;
  return found === 1 ? { kind: 'mutated', text: text.replace(find, () => replace) } : { kind: 'misplaced', found };
}

/** The part of jest's --json report that counts here. */
export interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Files that did not run at all. */
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

export type Verdict =
  | { readonly kind: 'seen'; readonly by: string }
  | { readonly kind: 'survived' }
  /** The tests could not judge: they do not run, with this mistake or without any. */
  | { readonly kind: 'unclear'; readonly why: string };

export function judge(report: Report | undefined): Verdict {
  if (!report) return { kind: 'unclear', why: 'the tests did not come to an end' };
  if (report.numRuntimeErrorTestSuites > 0) return { kind: 'unclear', why: 'a test file does not run' };
  const failed = report.testResults.flatMap((file) => file.assertionResults).find(({ status }) => status === 'failed');
  if (failed) return { kind: 'seen', by: failed.fullName };
  return report.numPassedTests > 0 ? { kind: 'survived' } : { kind: 'unclear', why: 'no test ran' };
}
