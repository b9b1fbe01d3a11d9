/**
 * A part of the system: one process that serves something, from its start until it is stopped.
 *
 * A part is ready when its own check says so; one that dies before is reported with the end of its log. A part that is
 * kept running is started again when it dies, with the same arguments and so on the same port; `process` is always the
 * latest.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from './deadline.ts';
import type { ProcessGroup, ProcessSpec, RunningProcess } from './process-group.ts';
import { progress, say } from './progress.ts';

export type PartSpec = {
  readonly spec: ProcessSpec;
  readonly ready: () => Promise<boolean>;
  readonly readyMs: number;
};

export type Part = {
  readonly name: string;
  readonly process: RunningProcess;
  /** Starts it again after it has died; resolves when it is ready. */
  readonly restart: () => Promise<void>;
};

/** A part that dies at once is brought back at once the first time, then with a pause that doubles up to this. */
const RESTART_PAUSE_MAX_MS = 5_000;
const RESTART_PAUSE_FIRST_MS = 100;

export async function runPart(group: ProcessGroup, part: PartSpec): Promise<Part> {
  let current = await progress(`starting ${part.spec.name}`, () => startUntilReady(group, part));
  return {
    name: part.spec.name,
    get process() {
      return current;
    },
    restart: async () => {
      await current.exited;
      current = await startUntilReady(group, part);
    },
  };
}

async function startUntilReady(group: ProcessGroup, { spec, ready, readyMs }: PartSpec): Promise<RunningProcess> {
  const started = await group.start(spec);
  try {
    await waitFor(ready, {
      ...{ what: `${spec.name} to get ready`, deadlineMs: readyMs },
      giveUp: () => {
        const exit = started.hasExited();
        if (exit) {
          throw new Error(`${spec.name} ended before it was ready (${exit.signal ?? `exit code ${exit.code}`})`);
        }
      },
    });
    return started;
  } catch (cause) {
    const log = await started.logTail();
    await started.stop();
    throw new Error(`${(cause as Error).message}\n--- end of ${started.logFile}:\n${log}`, { cause });
  }
}

/**
 * Brings `part` back whenever its process ends, until `ending` aborts. `onRestart` is called after each time it is
 * ready again. Never rejects.
 */
export async function keepRunning(part: Part, ending: AbortSignal, onRestart: () => Promise<void>): Promise<void> {
  const isOver = () => ending.aborted;
  let pauseMs = 0;
  for (;;) {
    const exit = await part.process.exited;
    if (isOver()) return;
    say(
      `${part.name} (pid ${part.process.pid}) ended by ${exit.signal ?? `exit code ${exit.code}`}; starting it again`,
    );
    const startedAt = Date.now();
    try {
      await pause(pauseMs, undefined, { signal: ending });
      await part.restart();
      await onRestart();
      say(`${part.name} is back as pid ${part.process.pid}`);
    } catch (error) {
      if (isOver()) return;
      say(`${part.name} did not come back: ${(error as Error).message}`);
    }
    const quick = Date.now() - startedAt < RESTART_PAUSE_MAX_MS;
    pauseMs = quick ? Math.min(Math.max(pauseMs * 2, RESTART_PAUSE_FIRST_MS), RESTART_PAUSE_MAX_MS) : 0;
  }
}
