/**
 * The outbox's rows: messages that a service starts itself.
 *
 * A row is written in the database transaction of what it tells of, and removed when its receipt says that it was delivered. A
 * refused one is parked until a person asks for another try.
 */
import type { Pool, PoolClient } from 'pg';
import { sqlFile } from '../postgres/sql.ts';

const addToOutbox = { name: 'add-to-outbox', text: sqlFile(import.meta.url, './sql/add-to-outbox.sql') };
const claimOutbox = { name: 'claim-outbox', text: sqlFile(import.meta.url, './sql/claim-outbox.sql') };
const removeDelivered = { name: 'remove-delivered', text: sqlFile(import.meta.url, './sql/remove-delivered.sql') };
const parkRefused = sqlFile(import.meta.url, './sql/park-refused.sql');
const retryRefused = sqlFile(import.meta.url, './sql/retry-refused.sql');
const listOutbox = sqlFile(import.meta.url, './sql/list-outbox.sql');
const countOutbox = sqlFile(import.meta.url, './sql/count-outbox.sql');

/** A consumer that cannot take a message yet ("shipped" before "paid") is asked again at least this often. */
const PUBLISH_PAUSE_SECONDS_MAX = 20;

export interface OutgoingMessage {
  /** `<service>/<type>/<what it is about>`: the same whenever this is told. */
  readonly id: string;
  /** The service that is to hear it. */
  readonly stream: string;
  readonly type: string;
  /** The order id. */
  readonly subject: string;
  readonly data: unknown;
  readonly traceparent?: string | undefined;
}

export interface ClaimedMessage extends OutgoingMessage {
  readonly createdAt: Date;
  /** Counted from 1. */
  readonly attempt: number;
}

export interface OutboxCounts {
  readonly waiting: number;
  readonly refused: number;
  /** 0 when none waits. */
  readonly oldestSeconds: number;
}

export interface ListedMessage {
  readonly id: string;
  readonly stream: string;
  readonly type: string;
  readonly subject: string;
  readonly attempts: number;
  readonly refusedReason: string | null;
  readonly ageSeconds: number;
}

/** `client` is inside the database transaction of what the message tells of. Nudge the relay after its commit. */
export async function tell(client: PoolClient, message: OutgoingMessage): Promise<void> {
  const { id, stream, type, subject, data, traceparent } = message;
  await client.query({ ...addToOutbox, values: [id, stream, type, subject, JSON.stringify(data), traceparent] });
}

export async function claimMessages(pool: Pool, rowsMax: number): Promise<readonly ClaimedMessage[]> {
  const { rows } = await pool.query<{
    readonly id: string;
    readonly stream: string;
    readonly type: string;
    readonly subject: string;
    readonly data: unknown;
    readonly traceparent: string | null;
    readonly created_at: Date;
    readonly attempts: number;
  }>({ ...claimOutbox, values: [rowsMax, PUBLISH_PAUSE_SECONDS_MAX] });
  return rows.map(({ created_at: createdAt, attempts: attempt, traceparent, ...message }) => ({
    ...message,
    traceparent: traceparent ?? undefined,
    ...{ createdAt, attempt },
  }));
}

export async function removeMessages(pool: Pool, ids: readonly string[]): Promise<void> {
  await pool.query({ ...removeDelivered, values: [ids] });
}

/** What was parked; undefined where no such message waits here any more. */
export async function parkMessage(
  pool: Pool,
  id: string,
  reason: string,
): Promise<Pick<OutgoingMessage, 'type' | 'subject'> | undefined> {
  const { rows } = await pool.query<Pick<OutgoingMessage, 'type' | 'subject'>>(parkRefused, [id, reason]);
  return rows[0];
}

/** Ids of those that are published again: the one named, or all that were refused. */
export async function retryMessages(pool: Pool, id: string | undefined): Promise<readonly string[]> {
  const { rows } = await pool.query<{ readonly id: string }>(retryRefused, [id]);
  return rows.map((row) => row.id);
}

export async function listMessages(pool: Pool, rowsMax: number): Promise<readonly ListedMessage[]> {
  const { rows } = await pool.query<
    Omit<ListedMessage, 'refusedReason' | 'ageSeconds'> & {
      readonly refused_reason: string | null;
      readonly age_seconds: number;
    }
  >(listOutbox, [rowsMax]);
  return rows.map(({ refused_reason: refusedReason, age_seconds: ageSeconds, ...message }) => ({
    ...message,
    ...{ refusedReason, ageSeconds },
  }));
}

export async function countMessages(pool: Pool): Promise<OutboxCounts> {
  const { rows } = await pool.query<Omit<OutboxCounts, 'oldestSeconds'> & { readonly oldest_seconds: number }>(
    countOutbox,
  );
  const { waiting = 0, refused = 0, oldest_seconds: oldestSeconds = 0 } = rows[0] ?? {};
  return { waiting, refused, oldestSeconds };
}
