/**
 * Cleaning the inbox. Its rows live as long as fence rows do: a message may be published again until its transaction has ended.
 */
import type { Cleaning } from '../postgres/cleaning.ts';
import { sqlFile } from '../postgres/sql.ts';

const cleanInbox = sqlFile(import.meta.url, './sql/clean-inbox.sql');
const cleanUnanswerable = sqlFile(import.meta.url, './sql/clean-unanswerable.sql');

export function inboxCleanings(retentionDays: number): readonly Cleaning[] {
  return [
    { what: 'old inbox rows', statement: cleanInbox, retentionDays },
    { what: 'old unanswerable entries', statement: cleanUnanswerable, retentionDays },
  ];
}
