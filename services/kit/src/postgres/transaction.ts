/**
 * One database transaction on one connection of the pool.
 *
 * 1. What `work` did is kept when it resolves, and undone when it rejects or says so.
 * 2. A commit counts only when the server says COMMIT: a database transaction in which a statement failed, and the failure was
 *    swallowed, is answered ROLLBACK without any error.
 * 3. A connection whose transaction's end is not known is closed, never reused; closing it makes the server roll back.
 */
import type { Pool, PoolClient } from 'pg';
import { isConnectionLost } from './errors.ts';

/** Whether what was done is kept, and what to tell the caller either way. */
export interface Ending<T> {
  readonly keep: boolean;
  readonly value: T;
}

/** READ COMMITTED; committed when `work` resolves, rolled back when it rejects. Rejects with what `work` or the database threw. */
export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  return endTransaction(pool, async (client) => ({ keep: true, value: await work(client) }));
}

/** The same, but `work` says itself whether to keep what it did. */
export async function endTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<Ending<T>>): Promise<T> {
  const client = await pool.connect();
  let ended = false;
  try {
    await client.query('begin isolation level read committed');
    const ending = await work(client);
    const { command } = await client.query(ending.keep ? 'commit' : 'rollback');
    ended = true;
    if (ending.keep && command !== 'COMMIT')
      throw new Error('not committed: a statement had failed and its error was swallowed');
    return ending.value;
  } catch (error) {
    if (!ended && !isConnectionLost(error)) ended = await rollBack(client);
    throw error;
  } finally {
    client.release(!ended);
  }
}

async function rollBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query('rollback');
    return true;
  } catch {
    return false;
  }
}
