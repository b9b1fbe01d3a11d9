/**
 * SQL statements in files of their own.
 */
import { readFileSync } from 'node:fs';

/** `const insertOrder = sqlFile(import.meta.url, './sql/insert-order.sql')`: read once, when the module is loaded. */
export function sqlFile(moduleUrl: string, path: string): string {
  return readFileSync(new URL(path, moduleUrl), 'utf8');
}
