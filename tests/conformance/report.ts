/**
 * What people read: a line for each check, more lines where something is wrong, and a last one with the counts.
 */
import type { Check, Finding } from './checks/check.ts';

export interface Checked {
  readonly check: Check;
  readonly finding: Finding;
}

const CONTRACT = 'docs/reference/participant-protocol.md';

export function linesOf({ check, finding }: Checked): readonly string[] {
  switch (finding.kind) {
    case 'right':
      return [`ok          ${check.name}`];
    case 'wrong':
      return [
        `WRONG       ${check.name}`,
        `            call      ${finding.call}`,
        `            expected  ${finding.expected}`,
        `            came      ${finding.came}`,
        `            contract  section ${check.section}: ${check.says}`,
        `            to do     ${finding.todo}`,
      ];
    case 'undriven':
      return [`NOT DRIVEN  ${check.name}`, `            because   ${finding.why}`];
  }
}

export function summaryOf(checked: readonly Checked[], slowestSeconds: number, timeoutMs: number): string {
  const count = (kind: Finding['kind']) => checked.filter(({ finding }) => finding.kind === kind).length;
  const [right, wrong, undriven] = [count('right'), count('wrong'), count('undriven')];
  const times = `slowest answer ${slowestSeconds.toFixed(2)} s of ${timeoutMs / 1_000} s`;
  const verdict =
    wrong + undriven === 0 ? 'it keeps the participant protocol' : `not shown; the contract is ${CONTRACT}`;
  return `${checked.length} checks: ${right} ok, ${wrong} wrong, ${undriven} not driven; ${times}: ${verdict}`;
}

export function isAllRight(checked: readonly Checked[]): boolean {
  return checked.every(({ finding }) => finding.kind === 'right');
}
