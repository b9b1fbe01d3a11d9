/**
 * Notifications in the database, and the attempts to have them sent.
 *
 * An attempt is begun, then the provider is called, then the attempt is ended; nothing can make the three one. So everything that
 * could send twice is decided while it begins:
 *
 * 1. What is SENT is not sent again.
 * 2. One publication is one attempt. An attempt that was begun is never begun again, also when its process died before it called.
 * 3. Attempts do not overlap (call-lock.ts): while one is under way, its outcome is not known, and a second call could be a second
 *    SMS. One that has no outcome and holds no lock was cut off, and stands in nobody's way.
 */
import type { Pool, PoolClient } from 'pg';
import { inTransaction, sqlFile } from '../../kit/src/index.ts';
import type { Outgoing, Sending } from './providers/provider.ts';

const ADD_NOTIFICATION = { name: 'add-notification', text: sqlFile(import.meta.url, '../sql/add-notification.sql') };
const FIND_NOTIFICATION = { name: 'find-notification', text: sqlFile(import.meta.url, '../sql/find-notification.sql') };
const BEGIN_ATTEMPT = { name: 'begin-attempt', text: sqlFile(import.meta.url, '../sql/begin-attempt.sql') };
const END_ATTEMPT = { name: 'end-attempt', text: sqlFile(import.meta.url, '../sql/end-attempt.sql') };
const LIST_NOTIFICATIONS = sqlFile(import.meta.url, '../sql/list-notifications.sql');

/** An order has one or two. */
const LISTED_MAX = 100;

export const NOTIFICATION_STATUSES = ['PENDING', 'SENT', 'FAILED'] as const;
export type NotificationStatus = (typeof NOTIFICATION_STATUSES)[number];

export interface Notification extends Outgoing {
  readonly orderId: string;
}

export interface ListedNotification {
  readonly channel: 'sms';
  readonly to: string;
  readonly text: string;
  readonly status: NotificationStatus;
  readonly attempts: number;
}

export type Beginning =
  /** Its row is there: call the provider with what is stored, once. */
  | { readonly kind: 'begun'; readonly outgoing: Outgoing }
  | { readonly kind: 'sent-before' }
  | { readonly kind: 'not-begun'; readonly reason: string };

/** Why an attempt is not to be begun; undefined when it is. */
export type Objection = Exclude<Beginning, { readonly kind: 'begun' }>;

/** Cheap, and without the call lock, so that it is held by those alone who call: what it says holds for good, unless it is nothing. */
export async function objectionTo(pool: Pool, id: string, publication: string): Promise<Objection | undefined> {
  return judge(await find(pool, id, publication));
}

/** For whoever holds the notification's call lock. */
export async function beginAttempt(pool: Pool, notification: Notification, publication: string): Promise<Beginning> {
  const { id, orderId, channel, to, text } = notification;
  return inTransaction(pool, async (client) => {
    await client.query({ ...ADD_NOTIFICATION, values: [id, orderId, channel, to, text] });
    const found = await find(client, id, publication);
    if (found === undefined) throw new Error(`notification ${id} is gone while it is written`);
    const objection = judge(found);
    if (objection !== undefined) return objection;
    await client.query({ ...BEGIN_ATTEMPT, values: [id, publication] });
    return { kind: 'begun', outgoing: { id, channel: found.channel, to: found.recipient, text: found.text } };
  });
}

interface FoundNotification extends StoredNotification {
  /** For this publication. */
  readonly attempted: boolean;
  /** Null while nobody knows it. */
  readonly outcome: Sending['kind'] | null;
  readonly reason: string | null;
}

async function find(
  database: Pool | PoolClient,
  id: string,
  publication: string,
): Promise<FoundNotification | undefined> {
  const { rows } = await database.query<FoundNotification>({ ...FIND_NOTIFICATION, values: [id, publication] });
  return rows[0];
}

function judge(found: FoundNotification | undefined): Objection | undefined {
  if (found?.status === 'SENT') return { kind: 'sent-before' };
  if (found?.attempted !== true) return undefined;
  const outcome = found.outcome === null ? 'not known' : `${found.outcome}: ${found.reason ?? ''}`;
  return { kind: 'not-begun', reason: `this attempt was made before and its outcome was ${outcome}` };
}

export async function endAttempt(pool: Pool, id: string, publication: string, sending: Sending): Promise<void> {
  const reason = sending.kind === 'failed' ? sending.reason : null;
  await pool.query({ ...END_ATTEMPT, values: [id, publication, sending.kind, reason] });
}

/** The oldest first. */
export async function listNotifications(pool: Pool, orderId: string): Promise<readonly ListedNotification[]> {
  const { rows } = await pool.query<StoredNotification & { readonly attempts: number }>(LIST_NOTIFICATIONS, [
    orderId,
    LISTED_MAX,
  ]);
  return rows.map(({ channel, recipient: to, text, status, attempts }) => ({ channel, to, text, status, attempts }));
}

interface StoredNotification {
  readonly channel: 'sms';
  readonly recipient: string;
  readonly text: string;
  readonly status: NotificationStatus;
}
