/**
 * Our end of the pipes to the supervisor (supervisor.ts): asks it to start processes and hears how they end.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { FromSupervisor, SpawnRequest, ToSupervisor } from './supervisor.ts';

export type Exit = { readonly code: number | null; readonly signal: string | null };

export type SupervisedProcess = {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly hasExited: () => Exit | undefined;
};

export type SupervisorLink = {
  /** Rejects if the program can't be started. */
  readonly start: (request: SpawnRequest) => Promise<SupervisedProcess>;
  readonly removeAtEnd: (path: string) => void;
  /** Closes the pipe: the supervisor ends what still runs, removes what it was told to, and ends. */
  readonly end: () => Promise<void>;
  /** Resolves when the supervisor is gone, however that came. */
  readonly gone: Promise<void>;
  readonly pid: number;
};

export function startSupervisor(folder: string, env: Readonly<Record<string, string>>): SupervisorLink {
  const supervisor = spawn(process.execPath, [join(import.meta.dirname, 'supervisor.ts'), folder], {
    ...{ detached: true, stdio: ['pipe', 'pipe', 'inherit'], env, cwd: '/' },
  });
  if (supervisor.pid === undefined) throw new Error(`${process.execPath} can't be started once more`);
  const waiting = new Map<
    number,
    { readonly started: (pid: number) => void; readonly failed: (error: Error) => void }
  >();
  const exits = new Map<number, (exit: Exit) => void>();
  let nextId = 1;

  createInterface({ input: supervisor.stdout }).on('line', (line) => {
    const message = JSON.parse(line) as FromSupervisor;
    if (message.kind === 'started') waiting.get(message.id)?.started(message.pid);
    if (message.kind === 'failed') waiting.get(message.id)?.failed(new Error(message.reason));
    if (message.kind === 'exited') exits.get(message.id)?.({ code: message.code, signal: message.signal });
  });
  supervisor.stdin.on('error', () => undefined); // Whether the supervisor is gone is seen by its exit.
  const send = (message: ToSupervisor) => supervisor.stdin.write(`${JSON.stringify(message)}\n`);

  const gone = new Promise<void>((resolve) => supervisor.once('exit', () => resolve())).then(() => {
    // Its children may live on, but nobody will hear of their end any more; whoever waits for it must not wait for ever.
    for (const { failed } of waiting.values()) failed(new Error('the supervisor process is gone'));
    for (const exited of exits.values()) exited({ code: null, signal: null });
  });

  const start = async (request: SpawnRequest): Promise<SupervisedProcess> => {
    const id = nextId++;
    let exit: Exit | undefined;
    const exited = new Promise<Exit>((resolve) => {
      exits.set(id, (how) => {
        exits.delete(id);
        exit = how;
        resolve(how);
      });
    });
    const pid = await new Promise<number>((started, failed) => {
      waiting.set(id, { started, failed });
      send({ kind: 'start', id, request });
    }).finally(() => waiting.delete(id));
    return { pid, exited, hasExited: () => exit };
  };
  const end = async () => {
    supervisor.stdin.end();
    await gone;
  };
  return { start, end, gone, pid: supervisor.pid, removeAtEnd: (path) => send({ kind: 'remove-at-end', path }) };
}
