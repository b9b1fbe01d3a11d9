/**
 * The archive, for what the API server has no longer. Connected to when it is first asked, and only where its database is named.
 */
import type { Pool } from 'pg';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { findByName, findByOrderId, listArchived, type ArchivedFilter } from '../src/archive/queries.ts';
import { Trouble } from './trouble.ts';

const CONNECT_MS = 5_000;
const STATEMENT_MS = 30_000;
const PAGE_ROWS = 500;
/** undefined_table: the controller makes it when it first has something to keep. */
const UNDEFINED_TABLE = '42P01';

export type Found =
  | { readonly kind: 'found'; readonly transactions: readonly OrderTransaction[] }
  /** Nobody said where it is. */
  | { readonly kind: 'unnamed' }
  | { readonly kind: 'unreachable'; readonly message: string };

export class ArchiveReader {
  readonly #url: string | undefined;
  #pool: Promise<Pool> | undefined;

  constructor(url: string | undefined) {
    this.#url = url;
  }

  /** By its name, or by its order's. The latest first. */
  async find(namespace: string, name: string): Promise<Found> {
    return this.#ask(async (pool) => {
      const found = [...(await findByName(pool, namespace, name)), ...(await findByOrderId(pool, namespace, name))];
      return [...new Map(found.map((each) => [each.metadata.uid, each])).values()];
    });
  }

  /** The latest first, at most `rowsMax`. */
  async list(filter: ArchivedFilter, rowsMax: number): Promise<Found> {
    return this.#ask(async (pool) => {
      const transactions: OrderTransaction[] = [];
      let after: string | undefined;
      do {
        const limit = Math.min(PAGE_ROWS, rowsMax - transactions.length);
        const page = await listArchived(pool, filter, { limit, ...(after !== undefined && { after }) });
        transactions.push(...page.transactions);
        after = page.next;
      } while (after !== undefined && transactions.length < rowsMax);
      return transactions;
    });
  }

  async close(): Promise<void> {
    await (await this.#pool?.catch(() => undefined))?.end();
  }

  async #ask(question: (pool: Pool) => Promise<readonly OrderTransaction[]>): Promise<Found> {
    if (this.#url === undefined) return { kind: 'unnamed' };
    try {
      this.#pool ??= connect(this.#url);
      return { kind: 'found', transactions: await question(await this.#pool) };
    } catch (error) {
      if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return { kind: 'found', transactions: [] };
      return { kind: 'unreachable', message: sentenceOf(error) };
    }
  }
}

async function connect(connectionString: string): Promise<Pool> {
  if (!/^postgres(ql)?:\/\/./.test(connectionString)) {
    throw new Trouble('it must be a URL that begins with postgres:// or postgresql://');
  }
  const { Pool } = await import('pg');
  const pool = new Pool({
    connectionString,
    max: 1,
    application_name: 'kubectl-ordertx',
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: STATEMENT_MS,
  });
  // What breaks an idle connection is told by the next question.
  pool.on('error', () => undefined);
  return pool;
}

/** Of several addresses that were tried, the last one's: an AggregateError says nothing itself. */
function sentenceOf(error: unknown): string {
  if (error instanceof AggregateError) return sentenceOf(error.errors.at(-1));
  return error instanceof Error ? error.message : String(error);
}
