/**
 * Notifications in the database, and the attempts to have them sent.
 *
 * An attempt is begun, then the provider is called, then the attempt is ended; nothing can make the three one. So everything that
 * could send twice is decided while it begins, with the notification's row locked:
 *
 * 1. What is SENT is not sent again.
 * 2. One publication is one attempt. An attempt that was begun is never begun again, also when its process died before it called.
 * 3. Attempts do not overlap: while one is under way, its outcome is not known, and a second call could be a second SMS. One that
 *    has had no outcome for longer than a call can take was cut off, and stands in nobody's way.
 */
import type { Pool } from 'pg';
import { inTransaction, sqlFile } from '../../kit/src/index.ts';
import type { Outgoing, Sending } from './providers/provider.ts';

const ADD_NOTIFICATION = { name: 'add-notification', text: sqlFile(import.meta.url, '../sql/add-notification.sql') };
const LOCK_NOTIFICATION = { name: 'lock-notification', text: sqlFile(import.meta.url, '../sql/lock-notification.sql') };
const FIND_ATTEMPTS = { name: 'find-attempts', text: sqlFile(import.meta.url, '../sql/find-attempts.sql') };
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

export interface EarlierAttempt {
  readonly publication: string;
  /** Null while nobody knows it. */
  readonly outcome: Sending['kind'] | null;
  readonly reason: string | null;
}

export type Beginning =
  /** Its row is there: call the provider with what is stored, once. */
  | { readonly kind: 'begun'; readonly outgoing: Outgoing }
  | { readonly kind: 'sent-before' }
  | { readonly kind: 'not-begun'; readonly reason: string };

export type Verdict = 'begin' | Exclude<Beginning, { readonly kind: 'begun' }>;

/** @param earlier attempts of this publication, and others that are under way */
export function judgeAttempt(
  status: NotificationStatus,
  earlier: readonly EarlierAttempt[],
  publication: string,
): Verdict {
  if (status === 'SENT') return { kind: 'sent-before' };
  const same = earlier.find((attempt) => attempt.publication === publication);
  if (same !== undefined) {
    const outcome = same.outcome === null ? 'not known' : `${same.outcome}: ${same.reason ?? ''}`;
    return { kind: 'not-begun', reason: `this attempt was made before and its outcome was ${outcome}` };
  }
  if (earlier.length > 0) return { kind: 'not-begun', reason: 'an earlier attempt is still under way' };
  return 'begin';
}

/** @param cutOffSeconds after which an attempt without an outcome is not under way any more */
export async function beginAttempt(
  pool: Pool,
  notification: Notification,
  publication: string,
  cutOffSeconds: number,
): Promise<Beginning> {
  const { id, orderId, channel, to, text } = notification;
  return inTransaction(pool, async (client) => {
    await client.query({ ...ADD_NOTIFICATION, values: [id, orderId, channel, to, text] });
    const { rows: locked } = await client.query<StoredNotification>({ ...LOCK_NOTIFICATION, values: [id] });
    const [stored] = locked;
    if (stored === undefined) throw new Error(`notification ${id} is gone while it is written`);
    const find = { ...FIND_ATTEMPTS, values: [id, publication, cutOffSeconds] };
    const { rows: earlier } = await client.query<EarlierAttempt>(find);
    const verdict = judgeAttempt(stored.status, earlier, publication);
    if (verdict !== 'begin') return verdict;
    await client.query({ ...BEGIN_ATTEMPT, values: [id, publication] });
    const outgoing = { id, channel: stored.channel, to: stored.recipient, text: stored.text };
    return { kind: 'begun', outgoing };
  });
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
