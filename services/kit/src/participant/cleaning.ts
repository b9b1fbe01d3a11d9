/**
 * Cleaning the fence's table.
 *
 * Only Confirmed and Cancelled rows go, long after their last change: a row that is still Tried or Refused belongs to a transaction
 * that has not ended, whatever its age. A row that went too early would let a late try reserve again.
 */
import type { Pool } from 'pg';
import type { Log } from '../log.ts';
import { sqlFile } from '../postgres/sql.ts';

export const RETENTION_DAYS_DEFAULT = 30;
/** A transaction's creation may be repeated for 7 days, and its calls come after that. */
export const RETENTION_DAYS_MIN = 8;

/** A statement over more rows would hold its locks, and the table's vacuum, for too long; fewer would be many round trips. */
const BATCH_ROWS = 1_000;
const INTERVAL_MS = 60 * 60 * 1_000;

const deleteFinalBranches = sqlFile(import.meta.url, './sql/delete-final-branches.sql');

export interface CleaningOptions {
  readonly pool: Pool;
  /** At least 8. */
  readonly retentionDays: number;
  /** Default 1000. */
  readonly batchRows?: number;
  /** Between two batches it stops when this is aborted. */
  readonly signal?: AbortSignal;
}

/** Resolves with the number of rows removed. Throws RangeError for a retention that could not be safe. */
export async function cleanFence(options: CleaningOptions): Promise<number> {
  const { pool, retentionDays, batchRows = BATCH_ROWS } = options;
  if (!Number.isInteger(retentionDays) || retentionDays < RETENTION_DAYS_MIN) {
    throw new RangeError(`fence rows are kept for at least ${RETENTION_DAYS_MIN} whole days`);
  }
  let removed = 0;
  while (options.signal?.aborted !== true) {
    const { rowCount } = await pool.query(deleteFinalBranches, [retentionDays, batchRows]);
    removed += rowCount ?? 0;
    if ((rowCount ?? 0) < batchRows) break;
  }
  return removed;
}

/** Cleans now, and then once an hour, until closed. A round that fails is logged; the next one does its work. */
export function startFenceCleaning(options: {
  readonly pool: Pool;
  readonly retentionDays: number;
  readonly log: Log;
}): { close(): Promise<void> } {
  const { log, ...rest } = options;
  const stop = new AbortController();
  const round = async (): Promise<void> => {
    try {
      const removed = await cleanFence({ ...rest, signal: stop.signal });
      if (removed > 0) log.info({ removed }, 'old fence rows removed');
    } catch (error) {
      log.error({ err: error }, 'old fence rows could not be removed');
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
