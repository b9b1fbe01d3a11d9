/**
 * Removing rows that nobody needs any more: in batches, once an hour.
 *
 * A statement over all of them would hold its locks, and the table's vacuum, for too long. Several replicas may clean at once: each
 * skips what another is at.
 */
import type { Pool } from 'pg';
import type { Log } from '../log.ts';

/** One batch locks that many rows for a few milliseconds. */
const BATCH_ROWS = 1_000;
const INTERVAL_MS = 60 * 60 * 1_000;

export interface Cleaning {
  /** In the plural, for the log: "old fence rows". */
  readonly what: string;
  /** Deletes one batch, oldest first. $1 days that a row is kept, $2 rows at most. */
  readonly statement: string;
  readonly retentionDays: number;
}

export interface CleaningOptions {
  /** Default 1000. */
  readonly batchRows?: number;
  /** Between two batches it stops when this is aborted. */
  readonly signal?: AbortSignal;
}

/** Resolves with the number of rows removed. */
export async function cleanInBatches(
  pool: Pool,
  { statement, retentionDays }: Pick<Cleaning, 'statement' | 'retentionDays'>,
  { batchRows = BATCH_ROWS, signal }: CleaningOptions = {},
): Promise<number> {
  let removed = 0;
  while (signal?.aborted !== true) {
    const { rowCount } = await pool.query(statement, [retentionDays, batchRows]);
    removed += rowCount ?? 0;
    if ((rowCount ?? 0) < batchRows) break;
  }
  return removed;
}

/** Cleans now, and then once an hour, until closed. What fails is logged; the next round does its work. */
export function startCleaning(pool: Pool, cleanings: readonly Cleaning[], log: Log): { close(): Promise<void> } {
  const stop = new AbortController();
  const round = async (): Promise<void> => {
    for (const cleaning of cleanings) {
      try {
        const removed = await cleanInBatches(pool, cleaning, { signal: stop.signal });
        if (removed > 0) log.info({ removed }, `${cleaning.what} removed`);
      } catch (error) {
        log.error({ err: error }, `${cleaning.what} could not be removed`);
      }
    }
  };
  let running = round();
  const timer = setInterval(() => {
    running = running.then(round);
  }, INTERVAL_MS);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      stop.abort();
      await running;
    },
  };
}
