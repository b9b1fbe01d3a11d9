/**
 * Entries that name nobody to tell of their refusal: kept in the service's own database, counted, and logged.
 *
 * They would otherwise be dropped in silence, which nobody could tell from a message that was lost.
 */
import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { sqlFile } from '../postgres/sql.ts';

const noteUnanswerable = sqlFile(import.meta.url, './sql/note-unanswerable.sql');
const countUnanswerable = sqlFile(import.meta.url, './sql/count-unanswerable.sql');

/** Enough to see what it is. */
const ENTRY_CHARS_MAX = 4_096;
/** Postgres takes no NUL and no half of a surrogate pair. */
const UNSTORABLE = /[\0\p{Cs}]/gu;

/** @param fields the entry's field names and values in turn */
export async function keepUnanswerable(
  pool: Pool,
  stream: string,
  fields: readonly string[],
  reason: string,
): Promise<void> {
  const text = storable(JSON.stringify(fields));
  const digest = createHash('sha256').update(`${stream}\n${text}`).digest('hex');
  await pool.query(noteUnanswerable, [digest, stream, text.slice(0, ENTRY_CHARS_MAX).toWellFormed(), storable(reason)]);
}

function storable(text: string): string {
  return text.replaceAll(UNSTORABLE, '\u{FFFD}');
}

export async function countUnanswerables(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ readonly entries: number }>(countUnanswerable);
  return rows[0]?.entries ?? 0;
}
