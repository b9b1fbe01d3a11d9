/**
 * The order's own branch of create-order: try places it as INIT, confirm opens it for payment, cancel ends it as CANCELLED.
 *
 * 1. Confirm and cancel remove the creation's outbox row in their database transaction: what has ended is not created again (T10).
 * 2. In the same database transaction they notify whoever waits for the end, on whichever replica.
 * 3. A cancel that comes without a try still records the order as CANCELLED: the customer asks for it and must learn why.
 * 4. An order id that another transaction has placed is refused, and stays untouched by this one's cancel.
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
import { orderIdOf } from '../creation/creation.ts';
import { createOrderPayloadSchema, formatTransaction, type CreateOrderPayload } from '../../../protocol/src/index.ts';

const PLACE_ORDER = sqlFile(import.meta.url, '../../sql/place-order.sql');
const CONFIRM_ORDER = sqlFile(import.meta.url, '../../sql/confirm-order.sql');
const CANCEL_ORDER = sqlFile(import.meta.url, '../../sql/cancel-order.sql');
const RECORD_CANCELLED = sqlFile(import.meta.url, '../../sql/record-cancelled.sql');

export const createOrderBranch: Branch<CreateOrderPayload> = {
  branch: 'order',
  path: '/tcc/create-order',
  payload: createOrderPayloadSchema,
  try: placeOrder,
  confirm: confirmOrder,
  cancel: cancelOrder,
};

interface Ended {
  readonly ended: boolean;
}

async function placeOrder(
  client: PoolClient,
  { transaction, payload }: TryCall<CreateOrderPayload>,
): Promise<Tried | Refused> {
  const { orderId, userId, totalCents, lines } = payload;
  const { rowCount } = await client.query({
    name: 'place-order',
    text: PLACE_ORDER,
    values: [orderId, formatTransaction(transaction), userId, totalCents, JSON.stringify(lines)],
  });
  return rowCount === 1
    ? { kind: 'tried' }
    : { kind: 'refused', detail: `order ${orderId} was already placed by another transaction` };
}

async function confirmOrder(
  client: PoolClient,
  { transaction, payload }: ConfirmCall<CreateOrderPayload>,
): Promise<Done> {
  const { rows } = await client.query<Ended>({
    name: 'confirm-order',
    text: CONFIRM_ORDER,
    values: [payload.orderId, formatTransaction(transaction)],
  });
  if (rows[0]?.ended !== true) throw new Error(`order ${payload.orderId} was tried but is not INIT`);
  return { kind: 'done' };
}

async function cancelOrder(client: PoolClient, call: CancelCall<CreateOrderPayload>): Promise<Done> {
  if (!call.tried) return recordCancelled(client, call);
  const { orderId } = call.payload;
  const { rows } = await client.query<Ended>({
    name: 'cancel-order',
    text: CANCEL_ORDER,
    values: [orderId, formatTransaction(call.transaction), reasonOf(call)],
  });
  if (rows[0]?.ended !== true) throw new Error(`order ${orderId} was tried but is not INIT`);
  return { kind: 'done' };
}

async function recordCancelled(client: PoolClient, call: CancelCall<CreateOrderPayload>): Promise<Done> {
  const { payload, transaction } = call;
  // Without a payload that can be read, the transaction's name still tells which creation in the outbox has ended.
  const orderId = payload?.orderId ?? orderIdOf(transaction.name);
  await client.query({
    name: 'record-cancelled',
    text: RECORD_CANCELLED,
    values: [
      formatTransaction(transaction),
      orderId,
      payload?.userId,
      payload?.totalCents,
      payload === undefined ? undefined : JSON.stringify(payload.lines),
      reasonOf(call),
    ],
  });
  return { kind: 'done' };
}

const REASONS: Readonly<Record<string, string>> = {
  Refused: 'a service refused the order',
  DeadlineExceeded: 'a service did not answer in time',
  CancelRequested: 'the order was cancelled on request',
};

/** The words of whoever refused; else our own for the decision's reason. Control characters would not survive the database. */
function reasonOf({ reason, detail }: CancelCall<CreateOrderPayload>): string {
  const words = detail.replace(/\p{Cc}+/gu, ' ').trim();
  return words === '' ? (REASONS[reason] ?? 'the order was cancelled') : words;
}
