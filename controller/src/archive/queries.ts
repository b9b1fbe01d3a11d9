/**
 * Reading the archive. Pages go by key: no COUNT and no OFFSET, so the last page costs what the first one does.
 */
import type { Pool } from 'pg';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { parseExact } from '../../../services/protocol/src/exact-json.ts';
import { sqlFile } from '../../../services/kit/src/postgres/sql.ts';
import type { FinalPhase } from '../transaction/phase.ts';

const list = sqlFile(import.meta.url, './sql/list.sql');
const byOrder = sqlFile(import.meta.url, './sql/find-by-order.sql');
const byName = sqlFile(import.meta.url, './sql/find-by-name.sql');

const PAGE_ROWS_DEFAULT = 100;
const PAGE_ROWS_MAX = 1_000;
/** An order has some; a name has one, or a few that were put again. */
const FOUND_ROWS_MAX = 100;

/** How what is archived ended; Abandoned: given up and deleted by a person. */
export type Outcome = FinalPhase | 'Abandoned';

export interface ArchivedFilter {
  readonly namespace: string;
  readonly flow?: string;
  readonly outcome?: Outcome;
  /** Ended at this moment or later. */
  readonly since?: Date;
  /** Ended before it. */
  readonly before?: Date;
}

export interface ArchivedPage {
  /** The latest end first. */
  readonly transactions: readonly OrderTransaction[];
  /** For the page after this one; undefined where there is none. */
  readonly next: string | undefined;
}

interface ListedRow {
  readonly uid: string;
  readonly finished_at: Date;
  readonly object: string;
}

/** @param after `next` of the page before; one that is none throws */
export async function listArchived(
  pool: Pool,
  { namespace, flow, outcome, since, before }: ArchivedFilter,
  { limit = PAGE_ROWS_DEFAULT, after }: { readonly limit?: number; readonly after?: string } = {},
): Promise<ArchivedPage> {
  const rowsMax = Math.min(Math.max(1, limit), PAGE_ROWS_MAX);
  const [endedAt, uid] = after === undefined ? [] : readPosition(after);
  const filter = [namespace, flow, outcome, since?.toISOString(), before?.toISOString()];
  // One more than asked for says whether there is a next page.
  const { rows } = await pool.query<ListedRow>(list, [...filter, endedAt, uid, rowsMax + 1]);
  const page = rows.slice(0, rowsMax);
  const last = page.at(-1);
  return {
    transactions: page.map(({ object }) => parseExact(object) as OrderTransaction),
    next: rows.length > rowsMax && last !== undefined ? `${last.finished_at.toISOString()}/${last.uid}` : undefined,
  };
}

/** The latest first. */
export async function findByOrderId(
  pool: Pool,
  namespace: string,
  orderId: string,
): Promise<readonly OrderTransaction[]> {
  return find(pool, byOrder, namespace, orderId);
}

/** The latest first: a name may have been used again. */
export async function findByName(pool: Pool, namespace: string, name: string): Promise<readonly OrderTransaction[]> {
  return find(pool, byName, namespace, name);
}

async function find(
  pool: Pool,
  statement: string,
  namespace: string,
  key: string,
): Promise<readonly OrderTransaction[]> {
  const { rows } = await pool.query<{ readonly object: string }>(statement, [namespace, key, FOUND_ROWS_MAX]);
  return rows.map(({ object }) => parseExact(object) as OrderTransaction);
}

function readPosition(after: string): readonly [endedAt: string, uid: string] {
  const [, endedAt, uid] = /^(\d{4}-\d{2}-\d{2}T[\d:.]+Z)\/(.+)$/.exec(after) ?? [];
  if (endedAt === undefined || uid === undefined) throw new Error(`${after} is no position in the archive`);
  return [endedAt, uid];
}
