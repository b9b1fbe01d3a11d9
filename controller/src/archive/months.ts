/**
 * The archive's months: each is a partition that is made before its first row is kept, and dropped whole once it is older than the
 * retention. So neither takes longer the more is archived.
 */
import type { Pool } from 'pg';
import { escapeIdentifier } from 'pg';
import { sqlFile } from '../../../services/kit/src/postgres/sql.ts';

const listOutlived = sqlFile(import.meta.url, './sql/list-outlived.sql');

export class Months {
  readonly #pool: Pool;
  /** Of those that are known to be there. */
  readonly #made = new Set<string>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Makes the months of these moments that are not there yet. Two at once are one that fails and is tried again. */
  async make(moments: readonly Date[]): Promise<void> {
    const missing = new Map(moments.map((moment) => [nameOf(moment), moment] as const));
    for (const [name, moment] of missing) {
      if (this.#made.has(name)) continue;
      const [from, to] = [0, 1].map(
        (ahead) => new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + ahead)),
      );
      await this.#pool.query(
        `create table if not exists ${escapeIdentifier(name)} partition of ordertx_archive for values from ('${from?.toISOString()}') to ('${to?.toISOString()}')`,
      );
      this.#made.add(name);
    }
  }

  /** Another replica, or a person, may have dropped one. */
  forget(): void {
    this.#made.clear();
  }

  /** Drops those that ended longer ago. @returns their names */
  async dropOutlived(retentionDays: number): Promise<readonly string[]> {
    const { rows } = await this.#pool.query<{ readonly name: string }>(listOutlived, [retentionDays]);
    for (const { name } of rows) {
      await this.#pool.query(`drop table if exists ${escapeIdentifier(name)}`);
      this.#made.delete(name);
    }
    return rows.map(({ name }) => name);
  }
}

function nameOf(moment: Date): string {
  return `ordertx_archive_${moment.getUTCFullYear()}_${String(moment.getUTCMonth() + 1).padStart(2, '0')}`;
}
