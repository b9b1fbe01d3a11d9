/**
 * One provider call at a time for a notification, over all replicas.
 *
 * The lock belongs to a database session, so it ends with the process that holds it: who comes next need not guess whether a call
 * without an outcome is still under way. Of a machine that is gone without a word the server ends the session once it has been idle
 * for longer than a call can take.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { sqlFile } from '../../kit/src/index.ts';

const TRY_LOCK_CALLS = { name: 'try-lock-calls', text: sqlFile(import.meta.url, '../sql/try-lock-calls.sql') };
const UNLOCK_CALLS = { name: 'unlock-calls', text: sqlFile(import.meta.url, '../sql/unlock-calls.sql') };

export interface CallLock {
  readonly pool: Pool;
  /** The notification's. */
  readonly id: string;
  /** Longer than the call can take. */
  readonly secondsMax: number;
}

/** Between two looks whether a call under way has ended: at first a usual provider's time, then more. */
const LOOK_AFTER_MS = 10;
const LOOK_EVERY_MS_MAX = 250;

/**
 * Waits for a call that is under way to end, and then makes its own. Resolves with undefined, and calls nothing, where for as long as
 * two calls can take there was always another one. While it waits it keeps no connection; while it calls it keeps one of the pool's connections meanwhile: the
 * consumer handles fewer messages at once than the pool has connections, so that what is called finds one for itself.
 */
export async function callAlone<T>(lock: CallLock, call: () => Promise<T>): Promise<T | undefined> {
  const untilMs = performance.now() + 2 * lock.secondsMax * 1_000;
  for (let pauseMs = LOOK_AFTER_MS; ; pauseMs = Math.min(2 * pauseMs, LOOK_EVERY_MS_MAX)) {
    const called = await callNow(lock, call);
    if (called !== undefined) return called.value;
    if (performance.now() >= untilMs) return undefined;
    await delay(pauseMs);
  }
}

async function callNow<T>(
  { pool, id, secondsMax }: CallLock,
  call: () => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const client = await pool.connect();
  let clean = false;
  try {
    const values = [id, String(secondsMax * 1_000)];
    const { rows } = await client.query<{ readonly idle_timeout: string | null }>({ ...TRY_LOCK_CALLS, values });
    if (typeof rows[0]?.idle_timeout !== 'string') {
      clean = true;
      return undefined;
    }
    try {
      return { value: await call() };
    } finally {
      clean = await unlocked(client, id);
    }
  } finally {
    client.release(!clean);
  }
}

/** Where it fails the session is ended, and the lock with it. */
async function unlocked(client: PoolClient, id: string): Promise<boolean> {
  try {
    await client.query({ ...UNLOCK_CALLS, values: [id] });
    return true;
  } catch {
    return false;
  }
}
