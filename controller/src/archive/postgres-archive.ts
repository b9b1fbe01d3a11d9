/**
 * The archive: what was removed from the API server, in a Postgres of its own.
 *
 *  H1  `keep` answers `kept` only after the commit.
 *  H2  What is kept again is the row that it was: the key is the object's uid.
 *  H3  A database that is away, full, locked or without its tables is `unavailable`: the same is asked again, from the beginning, and
 *      nothing else waits for it. So tables are made at the first use and not at the controller's start.
 *  H4  Where the database refuses a batch for its content, each of it is kept by itself, and only those that it refuses are left.
 */
import { DatabaseError, type Pool } from 'pg';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { Log } from '../../../services/kit/src/log.ts';
import { databaseSkewSeconds } from '../../../services/kit/src/postgres/clock-skew.ts';
import { migrate } from '../../../services/kit/src/postgres/migrate.ts';
import { createPool } from '../../../services/kit/src/postgres/pool.ts';
import { sqlFile } from '../../../services/kit/src/postgres/sql.ts';
import { stringifyAnyDepth } from '../../../services/protocol/src/deep-json.ts';
import type { Archive, ArchiveResult } from '../removal/ports.ts';
import { Months } from './months.ts';

const keep = sqlFile(import.meta.url, './sql/keep.sql');
const keepAbandoned = sqlFile(import.meta.url, './sql/keep-abandoned.sql');

const MIGRATIONS = new URL('./migrations/', import.meta.url);
/** One keeps what is removed, a batch after the other; the other is for what was given up, and for dropping what is old. */
const CONNECTIONS_MAX = 2;
const CLEAN_EVERY_MS = 3_600_000;

export interface PostgresArchiveOptions {
  readonly connectionString: string;
  readonly retentionDays: number;
  readonly log: Log;
}

export class PostgresArchive implements Archive {
  readonly #options: PostgresArchiveOptions;
  readonly #pool: Pool;
  readonly #months: Months;
  #isPrepared = false;
  #cleanedMs = -Infinity;
  /** Settled once the batch before is kept or not. */
  #keeping: Promise<unknown> = Promise.resolve();

  constructor(options: PostgresArchiveOptions) {
    const { connectionString, log } = options;
    this.#options = options;
    this.#pool = createPool({
      ...{ connectionString, log },
      ...{ applicationName: 'ordertx-archive', connectionsMax: CONNECTIONS_MAX },
    });
    this.#months = new Months(this.#pool);
  }

  /** Batches that come at once are kept one after the other: they would wait for each other's months and connections. */
  keep(transactions: readonly OrderTransaction[]): Promise<ArchiveResult> {
    const kept = this.#keeping.then(() => this.#keep(transactions));
    this.#keeping = kept;
    return kept;
  }

  async #keep(transactions: readonly OrderTransaction[]): Promise<ArchiveResult> {
    const rows = transactions.map(rowOf);
    try {
      await this.#prepare();
      await this.#months.make(rows.map(({ finishedAt }) => finishedAt));
      const refused = await this.#keepRows(rows);
      await this.#clean();
      return { kind: 'kept', refused };
    } catch (error) {
      return { kind: 'unavailable', message: error instanceof Error ? error.message : String(error) };
    }
  }

  async keepAbandoned(transaction: OrderTransaction, gone: Date): Promise<ArchiveResult> {
    const { namespace, uid, name } = transaction.metadata;
    const { orderId, flow } = transaction.spec;
    try {
      await this.#prepare();
      await this.#months.make([gone]);
      const row = [namespace, uid, name, orderId, flow, gone.toISOString(), stringifyAnyDepth(transaction)];
      await this.#pool.query(keepAbandoned, row);
      return { kind: 'kept', refused: new Map() };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const isItsContent = error instanceof DatabaseError && CONTENT_CLASSES.has((error.code ?? '').slice(0, 2));
      if (isItsContent && error.code !== CHECK_VIOLATION)
        return { kind: 'kept', refused: new Map([[transaction, message]]) };
      if (error instanceof DatabaseError && error.code === UNDEFINED_TABLE) this.#isPrepared = false;
      if (error instanceof DatabaseError && error.code === CHECK_VIOLATION) this.#months.forget();
      return { kind: 'unavailable', message };
    }
  }

  /** How far the clock of this machine is ahead of the database's. Rejects where that does not answer. */
  async clockSkewSeconds(): Promise<number> {
    return databaseSkewSeconds(this.#pool);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #prepare(): Promise<void> {
    if (this.#isPrepared) return;
    const { connectionString, log } = this.#options;
    await migrate({ connectionString, folder: MIGRATIONS, log, kitTables: false });
    this.#isPrepared = true;
  }

  async #keepRows(rows: readonly Row[]): Promise<ReadonlyMap<OrderTransaction, string>> {
    try {
      await this.#pool.query(keep, columnsOf(rows));
      return new Map();
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      const code = error.code ?? '';
      if (code === UNDEFINED_TABLE) this.#isPrepared = false;
      if (code === CHECK_VIOLATION) this.#months.forget();
      if (code === CHECK_VIOLATION || !CONTENT_CLASSES.has(code.slice(0, 2))) throw error;
      const [only] = rows;
      if (rows.length === 1 && only !== undefined) return new Map([[only.transaction, error.message]]);
    }
    const refused = new Map<OrderTransaction, string>();
    for (const row of rows) for (const [each, reason] of await this.#keepRows([row])) refused.set(each, reason);
    return refused;
  }

  /** What fails here is done an hour later: it keeps nothing from being archived. */
  async #clean(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#cleanedMs < CLEAN_EVERY_MS) return;
    this.#cleanedMs = nowMs;
    const { log, retentionDays } = this.#options;
    try {
      const dropped = await this.#months.dropOutlived(retentionDays);
      if (dropped.length > 0)
        log.info({ dropped }, 'months of the archive that are older than its retention are dropped');
    } catch (error) {
      log.warn({ err: error }, 'old months of the archive could not be dropped');
    }
  }
}

const UNDEFINED_TABLE = '42P01';
/** Also: no partition for the row. */
const CHECK_VIOLATION = '23514';
/** Data exception, integrity constraint violation, program limit exceeded: about these rows and not about the database. */
const CONTENT_CLASSES = new Set(['22', '23', '54']);

interface Row {
  readonly transaction: OrderTransaction;
  /** In whole milliseconds, as pages are cut. */
  readonly finishedAt: Date;
}

/** One without the time of its end, as no controller writes it, is archived by the minute after which it may go. */
function rowOf(transaction: OrderTransaction): Row {
  const { finishedAt, expires } = transaction.status ?? {};
  return { transaction, finishedAt: new Date(finishedAt ?? expires ?? 0) };
}

function columnsOf(rows: readonly Row[]): unknown[][] {
  const column = (value: (row: Row) => unknown) => rows.map(value);
  return [
    column(({ transaction }) => transaction.metadata.namespace),
    column(({ transaction }) => transaction.metadata.uid),
    column(({ transaction }) => transaction.metadata.name),
    column(({ transaction }) => transaction.spec.orderId),
    column(({ transaction }) => transaction.spec.flow),
    column(({ transaction }) => transaction.status?.phase),
    column(({ finishedAt }) => finishedAt.toISOString()),
    column(({ transaction }) => stringifyAnyDepth(transaction)),
  ];
}
