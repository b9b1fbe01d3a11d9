/**
 * A reader's terminal: runs commands one after the other in a folder, each within a deadline.
 *
 * 1. Folder, variables and functions carry over from command to command, as in a terminal; each command is still a process group
 *    of its own, so that one that hangs can be killed without losing them.
 * 2. A command that stays up (`npm run up`) is left running once it is ready and ended by Ctrl-C, as a reader would.
 * 3. After `close` nothing that a command started in its process group is running.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';

import { waitFor } from '../local/deadline.ts';

export type Ending =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'too-slow'; readonly deadlineSeconds: number }
  | { readonly kind: 'ready' };

interface Running {
  readonly child: ChildProcess;
  readonly exit: Promise<number>;
}

/** From Ctrl-C to the end of a system that stays up: it stops databases and an API server in good order. */
const STOP_SECONDS_MAX = 60;

/** What a terminal shows for a command ended by a signal: this and the signal's number. */
const SIGNALLED = 128;
export const INTERRUPTED = SIGNALLED + constants.signals.SIGINT;

/** Reads what the last command left, runs this one in the same shell, and writes down what it leaves. */
const SCRIPT = `
[ -f "$STATE/definitions" ] && . "$STATE/definitions" 2>/dev/null
cd "$(cat "$STATE/folder")" || exit 1
trap 'status=$?; pwd > "$STATE/folder"; { declare -p | grep -Ev "^declare -[a-zA-Z]*r"; declare -f; } > "$STATE/definitions"; exit $status' EXIT
eval "$(cat "$STATE/command")"
`;

export class Shell {
  readonly #state: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #groups: number[] = [];
  #stayingUp: Running | undefined;

  /** `state` is an existing empty folder for the shell's own notes; `folder` is where the first command runs. */
  constructor(folder: string, state: string, environment: NodeJS.ProcessEnv) {
    this.#state = state;
    this.#environment = { ...environment, STATE: state };
    mkdirSync(state, { recursive: true });
    writeFileSync(this.#note('folder'), folder);
  }

  /** What the last command printed, to both streams. */
  get printed(): string {
    return readFileSync(this.#note('output'), 'utf8');
  }

  async run(command: string, deadlineSeconds: number): Promise<Ending> {
    const { child, exit } = this.#start(command);
    const ending = await within(exit, deadlineSeconds);
    if (ending.kind === 'too-slow') {
      signal(child, 'SIGKILL');
      await exit;
    }
    return ending;
  }

  /** Starts a command that stays up and resolves once `readyFile` (from the present folder) is there and newer than the start. */
  async stayUp(command: string, readyFile: string, deadlineSeconds: number): Promise<Ending> {
    const startedAt = Date.now();
    const path = join(readFileSync(this.#note('folder'), 'utf8').trim(), readyFile);
    const running = this.#start(command);
    this.#stayingUp = running;
    const ready = waitFor(async () => (modifiedAt(path) ?? 0) >= startedAt && ({ kind: 'ready' } as const), {
      what: readyFile,
      deadlineMs: deadlineSeconds * 1_000,
    }).catch(() => ({ kind: 'too-slow', deadlineSeconds }) as const);
    return Promise.race([ready, running.exit.then((code) => ({ kind: 'exited', code }) as const)]);
  }

  /** Ctrl-C for the command that stays up; undefined where none does. */
  async interrupt(): Promise<Ending | undefined> {
    const running = this.#stayingUp;
    if (!running) return undefined;
    this.#stayingUp = undefined;
    signal(running.child, 'SIGINT');
    const ending = await within(running.exit, STOP_SECONDS_MAX);
    // npm may end before what it started has: the system is down when the whole group is.
    const down = { what: 'every process to end', deadlineMs: STOP_SECONDS_MAX * 1_000 };
    if (await waitFor(async () => isGone(running.child), down).catch(() => false)) return ending;
    signal(running.child, 'SIGKILL');
    return { kind: 'too-slow', deadlineSeconds: STOP_SECONDS_MAX };
  }

  /** Ctrl-C for whatever is running. */
  abort(): void {
    for (const group of this.#groups) killGroup(group, 'SIGINT');
  }

  async close(): Promise<void> {
    await this.interrupt();
    for (const group of this.#groups) killGroup(group, 'SIGKILL');
  }

  #start(command: string): Running {
    writeFileSync(this.#note('command'), command);
    const output = openSync(this.#note('output'), 'w');
    const child = spawn('bash', ['-c', SCRIPT], {
      detached: true,
      env: this.#environment,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    if (child.pid !== undefined) this.#groups.push(child.pid);
    const exit = new Promise<number>((resolve) => {
      child.once('exit', (code, by) => resolve(code ?? SIGNALLED + constants.signals[by ?? 'SIGKILL']));
    });
    return { child, exit };
  }

  #note(name: string): string {
    return join(this.#state, name);
  }
}

/** A new terminal's environment: without what npm and this run have put in, above all not this clone's own Node. */
export function readersEnvironment(ours: NodeJS.ProcessEnv, root: string): NodeJS.ProcessEnv {
  const added =
    /^(npm_(package|lifecycle|command|execpath|node_execpath|config_local_prefix)|INIT_CWD$|NODE$|NODE_OPTIONS$)/;
  const path = (ours.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.startsWith(root) && !folder.includes('node_modules'))
    .join(delimiter);
  return { ...Object.fromEntries(Object.entries(ours).filter(([name]) => !added.test(name))), PATH: path };
}

async function within(exit: Promise<number>, deadlineSeconds: number): Promise<Ending> {
  const deadline = Promise.withResolvers<Ending>();
  const timer = setTimeout(() => deadline.resolve({ kind: 'too-slow', deadlineSeconds }), deadlineSeconds * 1_000);
  const ended = exit.then((code): Ending => ({ kind: 'exited', code }));
  return Promise.race([ended, deadline.promise]).finally(() => clearTimeout(timer));
}

function modifiedAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid !== undefined) killGroup(child.pid, name);
}

function isGone(child: ChildProcess): boolean {
  if (child.pid === undefined) return true;
  try {
    return !process.kill(-child.pid, 0);
  } catch {
    return true;
  }
}

function killGroup(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch {
    // The whole group has ended already, which is what was wanted.
  }
}
