/**
 * The tool as a test uses it: in its own process, with what it printed.
 */
import { conformance } from './conformance.ts';

export interface ToolRun {
  readonly code: number;
  readonly lines: readonly string[];
  /** The names of the checks with this verdict. */
  named(verdict: 'ok' | 'WRONG' | 'NOT DRIVEN'): readonly string[];
  readonly text: string;
}

export async function runTool(...argv: readonly string[]): Promise<ToolRun> {
  const lines: string[] = [];
  const code = await conformance(argv, (line) => lines.push(line));
  return {
    ...{ code, lines, text: lines.join('\n') },
    named: (verdict) =>
      lines.filter((line) => line.startsWith(`${verdict} `)).map((line) => line.slice(verdict.length).trim()),
  };
}
