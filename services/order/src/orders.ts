/**
 * Orders in the database: accepting a request, and what its readers see.
 *
 * An accepted request is its idempotency key, its digest and the outbox row of its creation, written in one statement. The
 * order's own row comes with the transaction's try (branches/create-order.ts); until then readers see what was accepted.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Pool } from 'pg';
import { sqlFile } from '../../kit/src/index.ts';
import { totalCentsOf, type CreateOrderPayload, type OrderLine } from '../../protocol/src/index.ts';
import { FIRST_REPEAT_SECONDS } from './creation/schedule.ts';
import type { Creation } from './creation/creation.ts';

const ACCEPT_ORDER = sqlFile(import.meta.url, '../sql/accept-order.sql');
const FIND_REQUEST = sqlFile(import.meta.url, '../sql/find-request.sql');
const GET_ORDER = sqlFile(import.meta.url, '../sql/get-order.sql');
const GET_OUTCOME = sqlFile(import.meta.url, '../sql/get-outcome.sql');
const AWAIT_CREATION = sqlFile(import.meta.url, '../sql/await-creation.sql');

export const ORDER_STATUSES = [
  'INIT',
  'PENDING_PAYMENT',
  'PAYING',
  'CLOSING',
  'PAID',
  'SHIPPED',
  'RECEIVED',
  'CANCELLED',
  'CLOSED',
] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

export interface OrderRequest {
  readonly userId: string;
  readonly lines: readonly OrderLine[];
}

export interface HistoryStep {
  readonly status: OrderStatus;
  /** RFC 3339, in UTC. */
  readonly at: string;
  readonly reason: string | null;
}

export interface Order {
  /** `<namespace>/<name>` of its creation. */
  readonly transaction: string;
  readonly orderId: string;
  readonly userId: string;
  readonly status: OrderStatus;
  readonly totalCents: number;
  readonly lines: readonly OrderLine[];
  readonly history: readonly HistoryStep[];
}

/** Where an order stands, and why: the reason of its last step. */
export interface Outcome {
  readonly status: OrderStatus;
  readonly reason: string | null;
}

export type Acceptance =
  | { readonly kind: 'accepted' }
  /** This user sent this key before, with the same body. */
  | { readonly kind: 'repeated'; readonly orderId: string }
  /** This user sent this key before, with another body. */
  | { readonly kind: 'other-body' };

export interface Acceptable {
  readonly request: OrderRequest;
  readonly idempotencyKey: string;
  readonly creation: Extract<Creation, { flow: 'create-order' }>;
  /** The process in which the caller waits for the end, so that it has to be told. */
  readonly awaitedBy: string | undefined;
}

export function payloadOf(orderId: string, { userId, lines }: OrderRequest): CreateOrderPayload {
  return { orderId, userId, lines: [...lines], totalCents: totalCentsOf(lines) };
}

export async function acceptOrder(
  pool: Pool,
  { request, idempotencyKey, creation, awaitedBy }: Acceptable,
): Promise<Acceptance> {
  const { payload, transaction, traceparent } = creation;
  const digest = bodyDigest(request);
  const accepted = await pool.query({
    name: 'accept-order',
    text: ACCEPT_ORDER,
    values: [
      payload.userId,
      idempotencyKey,
      digest,
      payload.orderId,
      transaction,
      JSON.stringify(payload),
      traceparent,
      awaitedBy,
      FIRST_REPEAT_SECONDS,
    ],
  });
  if (accepted.rowCount === 1) return { kind: 'accepted' };
  const earlier = await findAccepted(pool, request, idempotencyKey);
  if (earlier === undefined)
    throw new Error('a request was found under this key and then not found; its retention has just ended');
  return earlier;
}

/** What was accepted before under this user's key; undefined when nothing was. */
export async function findAccepted(
  pool: Pool,
  request: OrderRequest,
  idempotencyKey: string,
): Promise<Exclude<Acceptance, { readonly kind: 'accepted' }> | undefined> {
  const { rows } = await pool.query<{ readonly body_digest: string; readonly order_id: string }>({
    name: 'find-request',
    text: FIND_REQUEST,
    values: [request.userId, idempotencyKey],
  });
  const [earlier] = rows;
  if (earlier === undefined) return undefined;
  return earlier.body_digest === bodyDigest(request)
    ? { kind: 'repeated', orderId: earlier.order_id }
    : { kind: 'other-body' };
}

/** Over canonical JSON (RFC 8785): neither the order of members nor white space makes another request. */
function bodyDigest(request: OrderRequest): string {
  return createHash('sha256')
    .update(canonicalize(request) ?? '')
    .digest('hex');
}

/** Undefined for an order nobody placed. */
export async function getOrder(pool: Pool, orderId: string): Promise<Order | undefined> {
  const { rows } = await pool.query<OrderRow>({ name: 'get-order', text: GET_ORDER, values: [orderId] });
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    transaction: row.transaction,
    orderId: row.order_id,
    userId: row.user_id,
    status: row.status,
    totalCents: row.total_cents,
    lines: row.lines,
    history: row.history.map((step) => ({ ...step, at: new Date(step.at).toISOString() })),
  };
}

interface OrderRow {
  readonly order_id: string;
  readonly transaction: string;
  readonly user_id: string;
  readonly status: OrderStatus;
  readonly total_cents: number;
  readonly lines: readonly OrderLine[];
  readonly history: readonly HistoryStep[];
}

/** An accepted order whose own row has not come yet is INIT. */
export async function getOutcome(pool: Pool, orderId: string): Promise<Outcome> {
  const { rows } = await pool.query<Outcome>({ name: 'get-outcome', text: GET_OUTCOME, values: [orderId] });
  return rows[0] ?? { status: 'INIT', reason: null };
}

/** From here on the end of this order's creation is notified. Read its outcome afterwards: it may have ended just before. */
export async function askToBeNotified(pool: Pool, orderId: string): Promise<void> {
  await pool.query({ name: 'await-creation', text: AWAIT_CREATION, values: [orderId] });
}
