/**
 * Cleaning the fence's table.
 *
 * Only Confirmed and Cancelled rows go, long after their last change: a row that is still Tried or Refused belongs to a transaction
 * that has not ended, whatever its age. A row that went too early would let a late try reserve again.
 */
import type { Pool } from 'pg';
import { cleanInBatches, type Cleaning, type CleaningOptions } from '../postgres/cleaning.ts';
import { sqlFile } from '../postgres/sql.ts';

export const RETENTION_DAYS_DEFAULT = 30;
/** A transaction's creation may be repeated for 7 days, and its calls and messages come after that. */
export const RETENTION_DAYS_MIN = 8;

const deleteFinalBranches = sqlFile(import.meta.url, './sql/delete-final-branches.sql');

/** @param retentionDays at least 8: RangeError for a retention that could not be safe */
export function fenceCleaning(retentionDays: number): Cleaning {
  if (!Number.isInteger(retentionDays) || retentionDays < RETENTION_DAYS_MIN) {
    throw new RangeError(`fence rows are kept for at least ${RETENTION_DAYS_MIN} whole days`);
  }
  return { what: 'old fence rows', statement: deleteFinalBranches, retentionDays };
}

/** Resolves with the number of rows removed. Rejects with RangeError for a retention that could not be safe. */
export async function cleanFence(
  options: CleaningOptions & { readonly pool: Pool; readonly retentionDays: number },
): Promise<number> {
  const { pool, retentionDays, ...rest } = options;
  return cleanInBatches(pool, fenceCleaning(retentionDays), rest);
}
