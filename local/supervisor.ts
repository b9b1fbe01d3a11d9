/**
 * The supervisor: starts processes for its parent and outlives it just long enough to clean up (see process-group.ts).
 *
 * Reads one JSON message a line from stdin, writes one a line to stdout. When stdin ends, for whatever reason, it ends
 * every process it started, removes `argv[2]` and whatever else it was told to remove, and exits. It imports nothing
 * but Node, so that it starts fast and cannot fail for want of a package.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGQUIT';

export type SpawnRequest = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly stopSignal?: StopSignal;
  readonly logFile: string;
};

export type ToSupervisor =
  | { readonly kind: 'start'; readonly id: number; readonly request: SpawnRequest }
  | { readonly kind: 'remove-at-end'; readonly path: string };

export type FromSupervisor =
  | { readonly kind: 'started'; readonly id: number; readonly pid: number }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }
  | { readonly kind: 'exited'; readonly id: number; readonly code: number | null; readonly signal: string | null };

/** Postgres needs a moment to end the processes it forked, which live in sessions of their own. */
const ORDERLY_END_MS = 5_000;

function supervise(folder: string): void {
  const living = new Map<ChildProcess, SpawnRequest>();
  const leftovers = [folder];
  const answer = (message: FromSupervisor) => process.stdout.write(`${JSON.stringify(message)}\n`);
  process.stdout.on('error', () => undefined); // The parent is gone; stdin's end says so too and is acted on.

  const start = (id: number, request: SpawnRequest) => {
    const { command, args, env, cwd, uid, gid } = request;
    const log = openSync(request.logFile, 'a');
    const child = spawn(command, args, {
      ...{ env, detached: true, stdio: ['ignore', log, log] },
      ...(cwd !== undefined && { cwd }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    });
    closeSync(log);
    child.once('error', (error) => {
      if (child.pid === undefined) {
        answer({ kind: 'failed', id, reason: `cannot start ${request.name}: ${error.message}` });
      }
    });
    child.once('exit', (code, signal) => {
      living.delete(child);
      answer({ kind: 'exited', id, code, signal });
    });
    if (child.pid === undefined) return;
    living.set(child, request);
    answer({ kind: 'started', id, pid: child.pid });
  };

  const endAll = async () => {
    const all = [...living.entries()];
    const gone = all.map(([child]) => new Promise((resolve) => child.once('exit', resolve)));
    // Postgres's immediate shutdown is SIGQUIT to the postmaster; killing that alone would orphan its backends.
    for (const [child, { stopSignal }] of all) {
      signalGroup(child, stopSignal === 'SIGQUIT' || stopSignal === 'SIGINT' ? 'SIGQUIT' : 'SIGKILL');
    }
    const impatient = setTimeout(() => all.forEach(([child]) => signalGroup(child, 'SIGKILL')), ORDERLY_END_MS);
    await Promise.all(gone);
    clearTimeout(impatient);
    for (const path of leftovers) rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };

  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const message = JSON.parse(line) as ToSupervisor;
    if (message.kind === 'start') start(message.id, message.request);
    else leftovers.push(message.path);
  });
  lines.on('close', () => void endAll().then(() => process.exit(0)));
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.on(signal, () => undefined); // Only stdin's end counts.
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      process.kill(-child.pid, signal);
    }
  } catch {
    // It ended between the look and the signal.
  }
}

const folder = process.argv[2];
if (folder && process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) supervise(folder);
