/**
 * How an index gets on that is built concurrently: a build may take hours, and whoever waits for the start wants to know of it.
 *
 * 1. A build that works has all the time it needs; how far it is, is told.
 * 2. One that waits for somebody's transaction does nothing meanwhile. It is told for whom, and is ended where that takes too long: a
 *    start must not hang for a session that somebody has forgotten.
 */
import type { Client } from 'pg';
import type { Log } from '../log.ts';
import { startLockWatch, type Held } from './lock-watch.ts';

export interface BuildWatchOptions {
  readonly connectionString: string;
  /** The session that builds. */
  readonly pid: number;
  readonly migration: string;
  readonly everyMs: number;
  /** How long others may hold it up without a break. */
  readonly heldMsMax: number;
  readonly log: Log;
}

export interface BuildWatch {
  /** Who held it up when it was ended; undefined where it was not. */
  readonly endedFor: () => Held | undefined;
  close(): Promise<void>;
}

/** With the default of 10 s between two looks, a line a minute. */
const LOOKS_PER_LINE = 6;

const PROGRESS = `
select phase, blocks_done::float8 as "blocksDone", blocks_total::float8 as "blocksTotal"
from pg_stat_progress_create_index
where pid = $1`;

export function startBuildWatch(options: BuildWatchOptions): BuildWatch {
  const { connectionString, pid, migration, everyMs, heldMsMax, log } = options;
  let looks = 0;
  let heldSinceMs: number | undefined;
  let endedFor: Held | undefined;
  const watch = startLockWatch({
    ...{ connectionString, pid, everyMs },
    onLook: async (held, client) => {
      looks += 1;
      if (held === undefined) {
        heldSinceMs = undefined;
        if (looks % LOOKS_PER_LINE === 0) await tell(client);
        return;
      }
      heldSinceMs ??= performance.now();
      log.warn({ migration, held }, 'the index waits for the end of a transaction that began before it');
      if (performance.now() - heldSinceMs < heldMsMax) return;
      endedFor = held;
      // Whatever is left half built is dropped then, which may have to wait for the same transaction, and is ended by the next look.
      await client.query('select pg_cancel_backend($1)', [pid]);
    },
  });
  const tell = async (client: Client): Promise<void> => {
    const { rows } = await client.query<{ readonly phase: string }>(PROGRESS, [pid]);
    if (rows[0] !== undefined) log.info({ migration, ...rows[0] }, 'the index is being built');
  };
  return { endedFor: () => endedFor, close: () => watch.close() };
}
