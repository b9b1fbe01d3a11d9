/**
 * A Kubernetes Event on a transaction, as every one of ours looks.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { ApiAnswer } from './transport.ts';

export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
  /** Of this replica. */
  readonly identity: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** The API server's own limit for a note. */
const NOTE_BYTES_MAX = 1_024;
/** With a dot and a UUID it stays below the 253 of an object's name. */
const NAME_CHARS_MAX = 200;

export function eventObject({ apiVersion, kind, metadata }: OrderTransaction, name: string, told: Told): object {
  const { namespace, uid } = metadata;
  const { type, reason, action, note, identity, nowMs } = told;
  return {
    ...{ apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: { namespace, name } },
    eventTime: microTime(nowMs),
    ...{ type, reason, action, note: cut(note) },
    regarding: { apiVersion, kind, namespace, name: metadata.name, uid },
    ...{ reportingController: 'ordertx.dev/controller', reportingInstance: identity },
  };
}

/** RBAC's own sentence, where it is for want of a right that an Event was not taken. */
export function lacksRight(answer: ApiAnswer<unknown>): string | undefined {
  if (answer.kind !== 'error' || answer.error.status !== 403) return undefined;
  return / cannot (create|patch) resource /.test(answer.error.message) ? answer.error.message : undefined;
}

/** @param unique tells it from others on the same transaction; at most 36 characters */
export function eventName({ metadata }: OrderTransaction, unique: string): string {
  // Cut, it may not end with what no part of a name ends with.
  return `${metadata.name.slice(0, NAME_CHARS_MAX).replace(/[-.]+$/, '')}.${unique}`;
}

/** The API server's MicroTime. */
export function microTime(nowMs: number): string {
  return new Date(nowMs).toISOString().replace('Z', '000Z');
}

/** As long as the API server takes notes, at a whole character. */
function cut(note: string): string {
  const bytes = new TextEncoder().encode(note);
  return bytes.length <= NOTE_BYTES_MAX
    ? note
    : new TextDecoder().decode(bytes.subarray(0, NOTE_BYTES_MAX - 3)).replace(/\uFFFD$/, '');
}
