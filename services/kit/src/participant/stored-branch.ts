/**
 * The fence's table: one row per (transaction, branch), held by one call at a time.
 */
import type { PoolClient } from 'pg';
import { formatTransaction, type StoredState, type TransactionName } from '../../../protocol/src/index.ts';
import { sqlFile } from '../postgres/sql.ts';

/** What the row says; every state has only what is stored with it. Texts are JSON. */
export type StoredBranch =
  | { readonly state: 'None' }
  | {
      readonly state: 'Tried';
      readonly path: string;
      readonly digest: string;
      readonly payload: string;
      readonly answer: string | null;
    }
  | {
      readonly state: 'Refused';
      readonly path: string;
      readonly digest: string;
      readonly payload: string;
      readonly refusal: string;
    }
  /** A digest is null where nothing was tried: the branch was cancelled first. */
  | { readonly state: 'Confirmed'; readonly path: string; readonly digest: string; readonly answer: string | null }
  | { readonly state: 'Cancelled'; readonly path: string; readonly digest: string | null };

export interface BranchKey {
  readonly transaction: TransactionName;
  readonly branch: string;
}

/** A row as it is written: whatever the state does not have is null. */
export interface BranchWrite {
  readonly state: StoredState;
  readonly digest?: string | null;
  readonly payload?: string | null;
  readonly answer?: string | null;
  readonly refusal?: string | null;
  readonly settledReason?: string | null;
}

interface Row {
  readonly path: string;
  readonly state: StoredState;
  readonly digest: string | null;
  readonly payload: string | null;
  readonly answer: string | null;
  readonly refusal: string | null;
}

// Named: Postgres parses and plans each once for a connection, not once for a call.
const insertBranch = { name: 'insert-branch', text: sqlFile(import.meta.url, './sql/insert-branch.sql') };
const lockBranch = { name: 'lock-branch', text: sqlFile(import.meta.url, './sql/lock-branch.sql') };
const updateBranch = { name: 'update-branch', text: sqlFile(import.meta.url, './sql/update-branch.sql') };

/** Between finding no row and inserting it another call may insert it, and take it away again by rolling back or cleaning. */
const CLAIM_ROUNDS_MAX = 5;

/**
 * Makes the row ours until the database transaction ends, inserting it as `provisional` where there is none (`state: None`).
 *
 * A try is usually the first call of its branch and inserts at once; confirm and cancel usually find a row. Either way nothing of
 * the business runs before the row is ours.
 */
export async function claimBranch(
  client: PoolClient,
  key: BranchKey,
  provisional: BranchWrite & { readonly path: string },
  expected: 'absent' | 'present',
): Promise<StoredBranch> {
  const id = [formatTransaction(key.transaction), key.branch];
  const { path, state, digest = null, payload = null } = provisional;
  for (let round = 1; round <= CLAIM_ROUNDS_MAX; round += 1) {
    if (expected === 'absent' || round > 1) {
      const inserted = await client.query({ ...insertBranch, values: [...id, path, state, digest, payload] });
      if (inserted.rowCount === 1) return { state: 'None' };
    }
    const found = await client.query<Row>({ ...lockBranch, values: id });
    const row = found.rows[0];
    if (row !== undefined) return storedBranch(row);
  }
  throw new Error(`the fence row of ${id.join(' ')} came and went ${CLAIM_ROUNDS_MAX} times`);
}

/** Overwrites a claimed row. */
export async function writeBranch(client: PoolClient, key: BranchKey, write: BranchWrite): Promise<void> {
  const { state, digest = null, payload = null, answer = null, refusal = null, settledReason = null } = write;
  const id = [formatTransaction(key.transaction), key.branch];
  const values = [...id, state, digest, payload, answer, refusal, settledReason];
  const { rowCount } = await client.query({ ...updateBranch, values });
  if (rowCount !== 1) throw new Error(`the fence row of ${id.join(' ')} is gone while it is locked`);
}

function storedBranch(row: Row): StoredBranch {
  const { path, digest, answer } = row;
  switch (row.state) {
    case 'Tried':
      return { state: 'Tried', path, digest: present(digest), payload: present(row.payload), answer };
    case 'Refused':
      return {
        state: 'Refused',
        path,
        digest: present(digest),
        payload: present(row.payload),
        refusal: present(row.refusal),
      };
    case 'Confirmed':
      return { state: 'Confirmed', path, digest: present(digest), answer };
    case 'Cancelled':
      return { state: 'Cancelled', path, digest };
  }
}

function present(value: string | null): string {
  if (value === null) throw new Error('a fence row lacks what its state always has');
  return value;
}
