/**
 * The order's own branch of create-order: try places it as INIT, confirm opens it for payment, cancel ends it as CANCELLED.
 *
 * 1. Confirm and cancel take the creation out of the outbox in their database transaction: what has ended is not created again by itself (T10).
 * 2. In the same database transaction they notify whoever waits for the end, on whichever replica.
 * 3. A cancel that comes without a try still records the order as CANCELLED: the customer asks for it and must learn why.
 * 4. An order id that another transaction has placed, or was accepted for, is refused, and stays untouched by this one's cancel; so
 *    does one that the transaction is not named after.
 */
import type { PoolClient } from 'pg';
import {
  sqlFile,
  type Branch,
  type CancelCall,
  type ConfirmCall,
  type Done,
  type Refused,
  type Tried,
  type TryCall,
} from '../../../kit/src/index.ts';
import {
  createdOrderIdOf,
  createOrderPayloadSchema,
  FOREIGN_ATTEMPT,
  formatTransaction,
  isAttempt,
  type CreateOrderPayload,
} from '../../../protocol/src/index.ts';
import { endCreation } from '../held-order.ts';
import { cancelReason } from './cancel-reason.ts';

const PLACE_ORDER = { name: 'place-order', text: sqlFile(import.meta.url, '../../sql/place-order.sql') };
const CONFIRM_ORDER = { name: 'confirm-order', text: sqlFile(import.meta.url, '../../sql/confirm-order.sql') };
const CANCEL_ORDER = { name: 'cancel-order', text: sqlFile(import.meta.url, '../../sql/cancel-order.sql') };
const RECORD_CANCELLED = { name: 'record-cancelled', text: sqlFile(import.meta.url, '../../sql/record-cancelled.sql') };

/** @param paymentTimeoutSeconds how long an order may wait for its payment before it is closed */
export function createOrderBranch(paymentTimeoutSeconds: number): Branch<CreateOrderPayload> {
  return {
    branch: 'order',
    path: '/tcc/create-order',
    payload: createOrderPayloadSchema,
    try: placeOrder,
    confirm: (client, call) => confirmOrder(client, call, paymentTimeoutSeconds),
    cancel: cancelOrder,
  };
}

async function placeOrder(
  client: PoolClient,
  { transaction, payload }: TryCall<CreateOrderPayload>,
): Promise<Tried | Refused> {
  const { orderId, userId, totalCents, lines } = payload;
  if (!isAttempt('create-order', transaction.name, payload)) return { kind: 'refused', detail: FOREIGN_ATTEMPT };
  const { rowCount } = await client.query({
    ...PLACE_ORDER,
    values: [orderId, formatTransaction(transaction), userId, totalCents, JSON.stringify(lines)],
  });
  return rowCount === 1
    ? { kind: 'tried' }
    : { kind: 'refused', detail: 'the order was already placed by another transaction' };
}

async function confirmOrder(
  client: PoolClient,
  { transaction, payload }: ConfirmCall<CreateOrderPayload>,
  paymentTimeoutSeconds: number,
): Promise<Done> {
  const { orderId } = payload;
  const values = [orderId, formatTransaction(transaction), paymentTimeoutSeconds];
  const { rowCount } = await client.query({ ...CONFIRM_ORDER, values });
  if (rowCount !== 1) throw new Error(`order ${orderId} was tried but is not INIT`);
  await endCreation(client, formatTransaction(transaction));
  return { kind: 'done' };
}

async function cancelOrder(client: PoolClient, call: CancelCall<CreateOrderPayload>): Promise<Done> {
  const transaction = formatTransaction(call.transaction);
  if (call.tried) {
    const { orderId } = call.payload;
    const { rowCount } = await client.query({ ...CANCEL_ORDER, values: [orderId, transaction, cancelReason(call)] });
    if (rowCount !== 1) throw new Error(`order ${orderId} was tried but is not INIT`);
  } else {
    // Without a payload that can be read, the transaction's name still tells which order in the outbox has ended.
    const orderId = call.payload?.orderId ?? createdOrderIdOf(call.transaction.name);
    const payload = call.payload === undefined ? undefined : JSON.stringify(call.payload);
    if (isAttempt('create-order', call.transaction.name, { orderId }))
      await client.query({ ...RECORD_CANCELLED, values: [transaction, orderId, payload, cancelReason(call)] });
  }
  await endCreation(client, transaction);
  return { kind: 'done' };
}
