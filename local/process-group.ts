/**
 * Child processes that die with their parent.
 *
 * etcd, kube-apiserver, Postgres and Redis don't notice when the process that started them is killed with -9. So they
 * are not its children: a small supervisor process (supervisor.ts) starts them and holds the reading end of a pipe from
 * us. However we end, the pipe closes; the supervisor then ends what it started, removes the temporary folder and exits.
 *
 * 1. The supervisor itself starts the processes, so there is no moment at which one runs that it doesn't know.
 * 2. Supervisor and children have sessions of their own: Ctrl-C in a terminal reaches only us, and we stop them in order.
 * 3. If the supervisor is killed, we kill the children by the pids we know, and whoever uses the process group hears of
 *    it.
 */
import { chmod, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './alive.ts';
import { startSupervisor, type Exit, type SupervisorLink, type SupervisedProcess } from './supervisor-link.ts';
import type { StopSignal } from './supervisor.ts';

export type ProcessSpec = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; default: ours, without what concerns only this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** How this program is asked to end (default SIGTERM); it is killed if it has not ended `stopMs` later. */
  readonly stopSignal?: StopSignal;
  /** No other process of the group stands on it: all of these are stopped at once, before the others. */
  readonly leaf?: boolean;
};

export type RunningProcess = {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended, however it ended; never rejects. */
  readonly exited: Promise<Exit>;
  readonly hasExited: () => Exit | undefined;
  /** Signals it and whatever it started; does nothing once it has ended. */
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Asks it to end, kills it if it doesn't, resolves when it is gone. */
  readonly stop: () => Promise<Exit>;
  /** The last of its output, for an error message. */
  readonly logTail: () => Promise<string>;
};

export type ProcessGroup = {
  /** A temporary folder that disappears with the process group. Other users may enter it (Postgres never runs as root). */
  readonly folder: string;
  /** Lives a little longer than we do, until everything is cleared away. */
  readonly supervisorPid: number;
  readonly start: (spec: ProcessSpec) => Promise<RunningProcess>;
  /** Names a file or folder elsewhere that has to disappear with the process group too, if it exists then. */
  readonly removeAtEnd: (path: string) => void;
  /** Stops everything, leaves first and together, then the latest first, and removes the folder. May be called more than once. */
  readonly close: () => Promise<void>;
  /** Resolves if the supervisor dies before close(): nothing guards the parts any more, so they were killed. */
  readonly broken: Promise<Error>;
};

export type ProcessGroupOptions = {
  /** Where each process's output goes, as `<name>.log`; default: `logs` in the temporary folder. */
  readonly logFolder?: string;
  /** How long a process that was asked to end may take before it is killed; default 10 s. */
  readonly stopMs?: number;
};

const STOP_MS = 10_000;
const LOG_TAIL_BYTES = 4_000;

export async function openProcessGroup(options: ProcessGroupOptions = {}): Promise<ProcessGroup> {
  const folder = await mkdtemp(join(tmpdir(), 'ordertx-'));
  const supervisor = startSupervisor(folder, inheritedEnvironment());
  await chmod(folder, 0o711);
  const logFolder = options.logFolder ?? join(folder, 'logs');
  await mkdir(logFolder, { recursive: true });
  const running: RunningProcess[] = [];
  const leaves: RunningProcess[] = [];
  let closing: Promise<void> | undefined;

  const start = async (spec: ProcessSpec): Promise<RunningProcess> => {
    if (closing) throw new Error(`${spec.name} is not started: the system is being stopped`);
    const logFile = join(logFolder, `${spec.name}.log`);
    const supervised = await supervisor.start({ ...spec, env: spec.env ?? inheritedEnvironment(), logFile });
    const process = runningProcess(spec, supervised, logFile, options.stopMs ?? STOP_MS);
    running.push(process);
    if (spec.leaf === true) leaves.push(process);
    return process;
  };
  const close = async () => {
    // One after the other, a fault that holds up each of them (a store that does not answer) would hold up the end many times.
    await Promise.all(leaves.map((process) => process.stop()));
    for (const process of running.toReversed()) await process.stop();
    await supervisor.end();
    await rm(folder, { recursive: true, force: true });
  };
  return {
    ...{ folder, supervisorPid: supervisor.pid, start, removeAtEnd: supervisor.removeAtEnd },
    broken: brokenSupervisor(supervisor, running, () => closing !== undefined),
    close: () => (closing ??= close()),
  };
}

async function brokenSupervisor(
  supervisor: SupervisorLink,
  running: readonly RunningProcess[],
  isClosing: () => boolean,
): Promise<Error> {
  await supervisor.gone;
  if (isClosing()) return new Promise<Error>(() => undefined);
  for (const { pid } of running) if (isAlive(pid)) killGroup(pid, 'SIGKILL');
  return new Error(
    `the process that guards this system's parts (pid ${supervisor.pid}) was killed, so the parts were stopped`,
  );
}

function runningProcess(
  spec: ProcessSpec,
  supervised: SupervisedProcess,
  logFile: string,
  stopMs: number,
): RunningProcess {
  const kill = (signal: NodeJS.Signals) => {
    if (!supervised.hasExited()) killGroup(supervised.pid, signal);
  };
  const stop = async () => {
    kill(spec.stopSignal ?? 'SIGTERM');
    const impatient = setTimeout(() => kill('SIGKILL'), stopMs);
    return supervised.exited.finally(() => clearTimeout(impatient));
  };
  return { ...supervised, name: spec.name, logFile, kill, stop, logTail: () => tail(logFile) };
}

/** Our environment without what a test runner, npm or a launcher put there for this process alone. */
export function inheritedEnvironment(): Record<string, string> {
  const own = /^(npm_|NODE_OPTIONS$|JEST_|ORDERTX_|INIT_CWD$|REDIS_URL$|KUBECONFIG$)/;
  const entries = Object.entries(process.env).filter(([name, value]) => value !== undefined && !own.test(name));
  return Object.fromEntries(entries) as Record<string, string>;
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function tail(logFile: string): Promise<string> {
  const file = await open(logFile, 'r').catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_TAIL_BYTES), 0, LOG_TAIL_BYTES, from);
    return buffer.subarray(0, bytesRead).toString('utf8').trimEnd();
  } finally {
    await file.close();
  }
}
