/**
 * A program at a terminal, as if somebody typed: through Python's pty module, which the tests of the Python participant need as well.
 */
import { spawn } from 'node:child_process';

export interface Typed {
  /** As soon as this is on the screen, */
  readonly after: RegExp;
  /** this is typed; \u0003 is Ctrl-C. */
  readonly keys: string;
}

export interface Shown {
  readonly code: number | null;
  /** All that was on the screen, what was typed included. */
  readonly screen: string;
}

const PTY = `
import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])) % 256)
`;

const DEADLINE_MS = 60_000;

/** Rejects where there is no Python 3.9 or newer. */
export function atTerminal(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  typed: readonly Typed[],
): Promise<Shown> {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', ['-c', PTY, ...command], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
    });
    const left = [...typed];
    let screen = '';
    let complaint = '';
    // What is shown before the keys are typed says nothing about what comes after.
    let from = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      screen += chunk.toString('utf8');
      const next = left[0];
      if (next?.after.test(screen.slice(from)) !== true) return;
      left.shift();
      from = screen.length;
      child.stdin.write(next.keys);
    });
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString('utf8')));
    child.stdin.on('error', () => undefined);
    child.once('error', (error) =>
      reject(new Error('python3 (3.9 or newer) has to be on the PATH for what asks at a terminal', { cause: error })),
    );
    child.once('close', (code) => {
      if (complaint !== '') reject(new Error(`the pseudo-terminal failed: ${complaint}`));
      else resolve({ code, screen: screen.replaceAll('\r\n', '\n') });
    });
  });
}
