/**
 * Begins a payment's pay-order transaction: by its message, or because the order would be closed over it.
 */
import type { PoolClient } from 'pg';
import { sqlFile } from '../../../kit/src/index.ts';
import { besides, payName } from '../../../protocol/src/index.ts';
import type { Creation } from '../creation/creation.ts';
import { FIRST_REPEAT_SECONDS } from '../creation/schedule.ts';
import type { HeldOrder } from '../held-order.ts';
import { continuedOrNew } from '../trace-parent.ts';
import type { CapturedPayment } from './judge-overdue.ts';

const OPEN_PAYMENT = { name: 'open-payment', text: sqlFile(import.meta.url, '../../sql/open-payment.sql') };

/** Of an order that this database transaction has locked. Undefined where it has ended already, or is under way. */
export async function openPayment(
  client: PoolClient,
  { orderId, transaction: creation }: HeldOrder,
  { paymentId, amountCents }: CapturedPayment,
  traceparent?: string,
): Promise<Creation | undefined> {
  const transaction = besides(creation, payName(paymentId));
  const values = [transaction, paymentId, orderId, amountCents, continuedOrNew(traceparent), FIRST_REPEAT_SECONDS];
  const { rows } = await client.query<Creation>({ ...OPEN_PAYMENT, values });
  return rows[0];
}
