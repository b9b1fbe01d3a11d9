/**
 * Payments in the database: asked for, captured, refunded.
 *
 * A row is locked, then judged by what it says, then changed, in one database transaction. The judgements are total pure functions
 * of the row and of what is asked:
 *
 * 1. A payment is captured once. The provider may say so as often as it likes; only another amount is refused, because then one of
 *    us is wrong about money. A capture under another id is no repeat but more money: it is kept, and goes back.
 * 2. A payment is refunded once, and only what was captured of it. It is REFUNDING until the provider has taken the refund.
 */
import type { Pool, PoolClient } from 'pg';
import { inTransaction, sqlFile } from '../../kit/src/index.ts';

const INSERT_PAYMENT = { name: 'insert-payment', text: sqlFile(import.meta.url, '../sql/insert-payment.sql') };
const FIND_BY_KEY = { name: 'find-by-key', text: sqlFile(import.meta.url, '../sql/find-by-key.sql') };
const FIND_PENDING = { name: 'find-pending', text: sqlFile(import.meta.url, '../sql/find-pending.sql') };
const LOCK_ASKING = { name: 'lock-asking', text: sqlFile(import.meta.url, '../sql/lock-asking.sql') };
const GET_PAYMENT = { name: 'get-payment', text: sqlFile(import.meta.url, '../sql/get-payment.sql') };
const LIST_PAYMENTS = { name: 'list-payments', text: sqlFile(import.meta.url, '../sql/list-payments.sql') };
const LOCK_PAYMENT = { name: 'lock-payment', text: sqlFile(import.meta.url, '../sql/lock-payment.sql') };
const CAPTURE_PAYMENT = { name: 'capture-payment', text: sqlFile(import.meta.url, '../sql/capture-payment.sql') };
const LEARN_NAMESPACE = { name: 'learn-namespace', text: sqlFile(import.meta.url, '../sql/learn-namespace.sql') };
const GET_CAPTURE = { name: 'get-capture', text: sqlFile(import.meta.url, '../sql/get-capture.sql') };
const ADD_SURPLUS = { name: 'add-surplus', text: sqlFile(import.meta.url, '../sql/add-surplus.sql') };
const REFUND_PAYMENT = { name: 'refund-payment', text: sqlFile(import.meta.url, '../sql/refund-payment.sql') };

export const PAYMENT_STATUSES = ['PENDING', 'SUCCEEDED', 'REFUNDING', 'REFUNDED'] as const;

interface Asked {
  readonly paymentId: string;
  readonly orderId: string;
  /** Asked for: what the order costs. */
  readonly amountCents: number;
}
/** Where the order's transactions lie; null while that is not known. */
interface Belonging {
  readonly namespace: string | null;
}
/** `capturedCents` is what the provider says it took; it may be another amount than the one asked for. */
export type Payment = Asked &
  Belonging &
  (
    | { readonly status: 'PENDING'; readonly capturedCents: null }
    | { readonly status: 'SUCCEEDED' | 'REFUNDING' | 'REFUNDED'; readonly capturedCents: number }
  );

/** The provider's success call. */
export interface CaptureCall {
  /** Undefined: the payment's own capture, so that a repeat is harmless. */
  readonly captureId: string | undefined;
  /** Undefined: the amount asked for, or whatever was captured before. */
  readonly cents: number | undefined;
}

export type CaptureVerdict =
  | { readonly kind: 'capture'; readonly cents: number }
  /** More money than was asked for: to be kept, and given back. */
  | { readonly kind: 'surplus'; readonly captureId: string; readonly cents: number }
  /** Captured before, and the same amount. */
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly detail: string };

/** @param earlierCents what was captured before under the call's capture id, if anything was */
export function judgeCapture(
  payment: Payment,
  { captureId, cents }: CaptureCall,
  earlierCents: number | undefined,
): CaptureVerdict {
  if (payment.status === 'PENDING') return { kind: 'capture', cents: cents ?? payment.amountCents };
  const { paymentId, amountCents, capturedCents } = payment;
  const before = captureId === undefined ? capturedCents : earlierCents;
  if (captureId !== undefined && before === undefined)
    return { kind: 'surplus', captureId, cents: cents ?? amountCents };
  if (cents === undefined || cents === before) return { kind: 'done' };
  return {
    kind: 'refused',
    detail: `payment ${paymentId} was captured before, with ${before} cents, not ${cents}`,
  };
}

export type RefundVerdict =
  | { readonly kind: 'refund' }
  /** Refunded before, or about to be. */
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly detail: string };

export function judgeRefund(payment: Payment | undefined, asked: Asked): RefundVerdict {
  const { orderId, amountCents } = asked;
  if (payment === undefined) return { kind: 'refused', detail: 'there is no such payment' };
  if (payment.orderId !== orderId) return { kind: 'refused', detail: 'the payment is of another order' };
  if (payment.status === 'PENDING')
    return { kind: 'refused', detail: 'the payment was never captured: there is nothing to refund' };
  if (payment.capturedCents !== amountCents) {
    const detail = `${payment.capturedCents} cents were captured, and ${amountCents} are to be refunded`;
    return { kind: 'refused', detail };
  }
  return payment.status === 'SUCCEEDED' ? { kind: 'refund' } : { kind: 'done' };
}

/** The payment that this key has asked for, if any has. */
export async function findByKey(pool: Pool, key: string): Promise<Payment | undefined> {
  const { rows } = await pool.query<PaymentRow>({ ...FIND_BY_KEY, values: [key] });
  return rows.map(paymentOf)[0];
}

export interface AskedOnce {
  readonly payment: Payment;
  /** Whether this call has asked for it. */
  readonly isNew: boolean;
}

/** With a key, one payment of the key; without one, the order's payment that is still PENDING, or a new one. */
export async function askOnce(pool: Pool, asked: Asked & Belonging, key: string | undefined): Promise<AskedOnce> {
  const { paymentId, orderId, amountCents, namespace } = asked;
  return inTransaction(pool, async (client) => {
    const first = async (statement: typeof FIND_PENDING, value: string): Promise<AskedOnce | undefined> => {
      const { rows } = await client.query<PaymentRow>({ ...statement, values: [value] });
      return rows.map((row) => ({ payment: paymentOf(row), isNew: false }))[0];
    };
    if (key === undefined) {
      await client.query({ ...LOCK_ASKING, values: [orderId] });
      const pending = await first(FIND_PENDING, orderId);
      if (pending !== undefined) return pending;
    }
    const values = [paymentId, orderId, amountCents, namespace, key];
    const { rowCount } = await client.query({ ...INSERT_PAYMENT, values });
    if (rowCount === 1) return { payment: { ...asked, status: 'PENDING', capturedCents: null }, isNew: true };
    const earlier = await first(FIND_BY_KEY, key ?? '');
    if (earlier === undefined) throw new Error('a payment was found under this key and then not found');
    return earlier;
  });
}

/** From the order service; what is known already stays. */
export async function learnNamespace(pool: Pool, paymentId: string, namespace: string): Promise<void> {
  await pool.query({ ...LEARN_NAMESPACE, values: [paymentId, namespace] });
}

/** Undefined for a payment nobody asked for. */
export async function getPayment(pool: Pool, paymentId: string): Promise<Payment | undefined> {
  const { rows } = await pool.query<PaymentRow>({ ...GET_PAYMENT, values: [paymentId] });
  return rows.map(paymentOf)[0];
}

/** Those that were captured, then the others, the oldest first. @param paymentId the only one that is asked about, if any */
export async function listPayments(
  pool: Pool,
  { orderIds, paymentId }: { readonly orderIds: readonly string[]; readonly paymentId: string | undefined },
  rowsMax: number,
): Promise<readonly Payment[]> {
  const { rows } = await pool.query<PaymentRow>({ ...LIST_PAYMENTS, values: [orderIds, rowsMax, paymentId] });
  return rows.map(paymentOf);
}

/** The same, and holds the row until the database transaction ends. */
export async function lockPayment(client: PoolClient, paymentId: string): Promise<Payment | undefined> {
  const { rows } = await client.query<PaymentRow>({ ...LOCK_PAYMENT, values: [paymentId] });
  return rows.map(paymentOf)[0];
}

/** What was captured under this id before, in cents. */
export async function getCapture(
  client: PoolClient,
  paymentId: string,
  captureId: string,
): Promise<number | undefined> {
  const values = [paymentId, captureId];
  const { rows } = await client.query<{ readonly amount_cents: number }>({ ...GET_CAPTURE, values });
  return rows[0]?.amount_cents;
}

export interface Capture {
  /** '' for the one that the provider gave no id. */
  readonly captureId: string;
  readonly cents: number;
}

/** Of a PENDING payment that this database transaction has locked; as it is afterwards. */
export async function capturePayment(
  client: PoolClient,
  payment: Payment,
  { captureId, cents }: Capture,
): Promise<Payment> {
  await changeOne(client, CAPTURE_PAYMENT, [payment.paymentId, cents, captureId]);
  return { ...payment, status: 'SUCCEEDED', capturedCents: cents };
}

/** A further capture of a payment that this database transaction has locked, with its refund. */
export async function addSurplus(
  client: PoolClient,
  paymentId: string,
  { captureId, cents }: Capture,
  reason: string,
): Promise<void> {
  await changeOne(client, ADD_SURPLUS, [paymentId, captureId, cents, reason]);
}

/** Of a SUCCEEDED payment that this database transaction has locked. */
export async function refundPayment(client: PoolClient, paymentId: string, reason: string): Promise<void> {
  await changeOne(client, REFUND_PAYMENT, [paymentId, reason]);
}

async function changeOne(
  client: PoolClient,
  statement: { readonly name: string; readonly text: string },
  values: readonly unknown[],
): Promise<void> {
  const { rowCount } = await client.query({ ...statement, values: [...values] });
  if (rowCount !== 1) throw new Error(`${statement.name} changed ${rowCount ?? 0} rows of a payment that is locked`);
}

interface PaymentRow {
  readonly payment_id: string;
  readonly order_id: string;
  readonly namespace: string | null;
  readonly amount_cents: number;
  readonly captured_cents: number | null;
  readonly status: Payment['status'];
}

function paymentOf({ payment_id, order_id, namespace, amount_cents, captured_cents, status }: PaymentRow): Payment {
  const asked = { paymentId: payment_id, orderId: order_id, namespace, amountCents: amount_cents };
  // The table's check says that the two go together.
  return status === 'PENDING' || captured_cents === null
    ? { ...asked, status: 'PENDING', capturedCents: null }
    : { ...asked, status, capturedCents: captured_cents };
}
