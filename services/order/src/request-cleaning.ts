/**
 * Forgets idempotency keys past their retention, in batches, once an hour.
 *
 * The retention is longer than anybody repeats a request, and longer than a creation is repeated (T10).
 */
import type { Pool } from 'pg';
import { sqlFile, type Log } from '../../kit/src/index.ts';

const CLEAN_REQUESTS = sqlFile(import.meta.url, '../sql/clean-requests.sql');
const EVERY_MS = 3_600_000;
/** One batch locks that many rows for a few milliseconds. */
const BATCH_ROWS = 1_000;

export interface RequestCleaning {
  close(): Promise<void>;
}

export function startRequestCleaning(pool: Pool, retentionDays: number, log: Log): RequestCleaning {
  let closing = false;
  async function clean(): Promise<void> {
    let removed: number;
    do {
      const { rowCount } = await pool.query(CLEAN_REQUESTS, [retentionDays, BATCH_ROWS]);
      removed = rowCount ?? 0;
    } while (removed === BATCH_ROWS && !closing);
  }
  const cleanSafely = (): Promise<void> =>
    clean().catch((error: unknown) =>
      log.warn({ err: error }, 'idempotency keys could not be cleaned; next try in an hour'),
    );
  let running = cleanSafely();
  const timer = setInterval(() => {
    running = running.then(cleanSafely);
  }, EVERY_MS).unref();
  return {
    async close() {
      closing = true;
      clearInterval(timer);
      await running;
    },
  };
}
