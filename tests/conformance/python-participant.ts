/**
 * The example of docs/examples/python-participant as a process, on a free port and with a database of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../../local/deadline.ts';
import { freePort } from '../../local/ports.ts';
import { inheritedEnvironment } from '../../local/process-group.ts';

export const EXAMPLE = join(import.meta.dirname, '../../docs/examples/python-participant/participant.py');
/** Its name in a flow. */
export const CREDIT = 'credit';
/** What it gives every customer to begin with. */
export const WELCOME_CENTS = 1_000_000;
export const READY_MS = 20_000;

export interface PythonParticipant {
  /** Its origin. */
  readonly url: string;
  /** Path of its SQLite file. */
  readonly database: string;
  /** Ends the process and removes the file. */
  stop(): Promise<void>;
}

export async function startPythonParticipant(namespace: string): Promise<PythonParticipant> {
  const folder = await mkdtemp(join(tmpdir(), 'python-participant-'));
  const database = join(folder, 'credit.db');
  const port = String(await freePort());
  const settings = { ORDERTX_AUTH: 'off', ORDERTX_NAMESPACES: namespace, PORT: port, DATABASE: database };
  // Isolated, and without site-packages: it must need nothing but the standard library.
  const python = spawn('python3', ['-I', '-S', EXAMPLE], {
    env: { ...inheritedEnvironment(), ...settings },
    stdio: 'ignore',
  });
  const ended = once(python, 'exit').catch(() => undefined);
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    python.kill();
    await ended;
    await rm(folder, { recursive: true });
  };
  try {
    await waitFor(async () => (await fetch(url)).status > 0, {
      what: 'the participant in Python to listen',
      deadlineMs: READY_MS,
      giveUp: () => {
        if (python.exitCode !== null) throw new Error(`python3 ended with ${python.exitCode}`);
      },
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, database, stop };
}
