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

const IS_UNASKED_FOR = { name: 'is-unasked-for', text: sqlFile(import.meta.url, '../../sql/is-unasked-for.sql') };

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

/**
 * Whether the payment's attempt was cancelled without this service having asked for it: it was made by hand before the money came. The
 * refund that its transaction sent, if it sent one, was refused then.
 */
export async function isUnaskedFor(
  client: PoolClient,
  { transaction: creation }: HeldOrder,
  paymentId: string,
): Promise<boolean> {
  const values = [besides(creation, payName(paymentId))];
  const { rows } = await client.query<{ readonly unasked: boolean }>({ ...IS_UNASKED_FOR, values });
  return rows[0]?.unasked === true;
}
