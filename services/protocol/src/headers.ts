/**
 * Header names of the participant protocol, and the forms of their values.
 *
 * Names are lower-case because Node gives and compares them so; HTTP does not care.
 */
import type { Operation } from './operations.ts';

export const HEADERS = {
  transaction: 'ordertx-transaction',
  branch: 'ordertx-branch',
  operation: 'ordertx-operation',
  attempt: 'ordertx-attempt',
  reason: 'ordertx-reason',
  detail: 'ordertx-detail',
  state: 'ordertx-state',
  idempotencyKey: 'idempotency-key',
  traceparent: 'traceparent',
  retryAfter: 'retry-after',
} as const;

/** A transaction's place in the cluster; `formatTransaction` gives the form that goes over the wire and into fence rows. */
export interface TransactionName {
  readonly namespace: string;
  readonly name: string;
}

const DNS_LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const NAMESPACE = new RegExp(`^${DNS_LABEL}$`);
const NAME_PART = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
const OBJECT_NAME = new RegExp(`^${NAME_PART}(?:\\.${NAME_PART})*$`);
/** Kubernetes' own limit for an object's name: for all of it, and none for a part. */
const OBJECT_NAME_CHARS_MAX = 253;

/** `<namespace>/<name>`. */
export function formatTransaction(transaction: TransactionName): string {
  return `${transaction.namespace}/${transaction.name}`;
}

/** The reverse of `formatTransaction`; undefined for anything that cannot be a Kubernetes object's name. */
export function parseTransaction(text: string): TransactionName | undefined {
  const [namespace, name, ...rest] = text.split('/');
  if (namespace === undefined || name === undefined || rest.length > 0) return undefined;
  if (!NAMESPACE.test(namespace) || name.length > OBJECT_NAME_CHARS_MAX || !OBJECT_NAME.test(name)) return undefined;
  return { namespace, name };
}

/** `<namespace>/<name>` without its namespace. */
export function nameIn(transaction: string): string {
  return transaction.slice(transaction.indexOf('/') + 1);
}

/** `<namespace>/<name>/<branch>/<operation>`: the same for every attempt of one call. */
export function idempotencyKey(transaction: TransactionName, branch: string, operation: Operation): string {
  return `${formatTransaction(transaction)}/${branch}/${operation}`;
}
