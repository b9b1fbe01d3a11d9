/**
 * Which database errors say nothing about the request.
 *
 * They mean: nothing was stored, or nobody knows; the same request may succeed in a moment. Everything else is a fault of ours.
 */
import { DatabaseError } from 'pg';

export type Passing =
  /** The database cannot be reached, is starting, stopping, full, or was switched to read-only. */
  | 'unavailable'
  /** Others held what this request needed for too long, or it met them in a deadlock. */
  | 'contended';

const CONTENDED = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available: lock_timeout
  '57014', // query_canceled: statement_timeout
]);

const UNAVAILABLE = new Set([
  '25006', // read_only_sql_transaction: the primary moved, this connection did not
  '25P03', // idle_in_transaction_session_timeout
  '57P01', // admin_shutdown, also pg_terminate_backend
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
]);
/** connection_exception, insufficient_resources. */
const UNAVAILABLE_CLASSES = new Set(['08', '53']);

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);
/** pg's own errors carry no code. */
const CONNECTION_MESSAGES = [
  /^Connection terminated/,
  /^timeout exceeded when trying to connect$/,
  /^timeout expired$/,
  /^Query read timeout$/,
  /^Client has encountered a connection error/,
  /^Client was closed/,
  /^Cannot use a pool after calling end/,
];

/** Undefined for errors that are no passing state of the database. */
export function passing(error: unknown): Passing | undefined {
  if (error instanceof DatabaseError) {
    const code = error.code ?? '';
    if (CONTENDED.has(code)) return 'contended';
    return UNAVAILABLE.has(code) || UNAVAILABLE_CLASSES.has(code.slice(0, 2)) ? 'unavailable' : undefined;
  }
  return isConnectionLost(error) ? 'unavailable' : undefined;
}

/** The connection is of no use any more: not even a rollback can be sent over it. */
export function isConnectionLost(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || error instanceof DatabaseError) return false;
  // Node tries every address of a host name and tells of all.
  if ('errors' in error && Array.isArray(error.errors)) return error.errors.some(isConnectionLost);
  if ('code' in error && typeof error.code === 'string' && NETWORK.has(error.code)) return true;
  const message = 'message' in error && typeof error.message === 'string' ? error.message : '';
  return CONNECTION_MESSAGES.some((pattern) => pattern.test(message));
}
