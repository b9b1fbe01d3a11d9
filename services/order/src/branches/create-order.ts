/**
 * The order's own branch of create-order: try places it as INIT, confirm opens it for payment, cancel ends it as CANCELLED.
 *
 * 1. Confirm and cancel take the creation out of the outbox in their database transaction: what has ended is not created again by itself (T10).
 * 2. Whoever waits for the end, on whichever replica, is told: after a confirm by this process (`tell`), after a cancel by a
 *    notification in its database transaction.
 * 3. A cancel that comes without a try still records the order as CANCELLED: the customer asks for it and must learn why.
 * 4. An order id that another transaction has placed, or was accepted for, is refused, and stays untouched by this one's cancel; so
 *    does one that the transaction is not named after.
 */
import type { PoolClient } from 'pg';
import {
  joinedStatement,
  runAlone,
  sqlFile,
  usualCase,
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
import type { Outcome } from '../orders.ts';
import { cancelReason } from './cancel-reason.ts';
import { confirmAlone, confirmUsually, type Confirmation, type Confirmed, type Tell } from './usual-moves.ts';

const PLACE_ORDER = joinedStatement(
  'place-order',
  sqlFile(import.meta.url, '../../sql/place-order.sql'),
  sqlFile(import.meta.url, '../../sql/likely-placed.sql'),
);
const CANCEL_ORDER = { name: 'cancel-order', text: sqlFile(import.meta.url, '../../sql/cancel-order.sql') };
const RECORD_CANCELLED = { name: 'record-cancelled', text: sqlFile(import.meta.url, '../../sql/record-cancelled.sql') };

export interface CreateOrderOptions {
  /** How long an order may wait for its payment before it is closed. */
  readonly paymentTimeoutSeconds: number;
  /** Left out, whoever waits looks for themselves. */
  readonly tell?: Tell;
}

export function createOrderBranch(options: CreateOrderOptions): Branch<CreateOrderPayload> {
  return {
    branch: 'order',
    path: '/tcc/create-order',
    payload: createOrderPayloadSchema,
    try: placeOrder,
    confirm: (client, call) => confirmOrder(client, call, options),
    cancel: cancelOrder,
    usual: {
      try: (call) => (isOwn(call) ? usualCase(PLACE_ORDER, placing(call)) : undefined),
      confirm: (call) => confirmUsually(opening(call, options), (confirmed) => tellOf(call, confirmed, options)),
    },
  };
}

const isOwn = ({ transaction, payload }: TryCall<CreateOrderPayload>): boolean =>
  isAttempt('create-order', transaction.name, payload);

function placing({ transaction, payload }: TryCall<CreateOrderPayload>): readonly unknown[] {
  const { orderId, userId, totalCents, lines } = payload;
  return [orderId, formatTransaction(transaction), userId, totalCents, JSON.stringify(lines)];
}

async function placeOrder(client: PoolClient, call: TryCall<CreateOrderPayload>): Promise<Tried | Refused> {
  if (!isOwn(call)) return { kind: 'refused', detail: FOREIGN_ATTEMPT };
  const { done } = await runAlone(client, PLACE_ORDER, placing(call));
  return done ? { kind: 'tried' } : { kind: 'refused', detail: 'the order was already placed by another transaction' };
}

function opening(
  { transaction, payload }: ConfirmCall<CreateOrderPayload>,
  { paymentTimeoutSeconds }: CreateOrderOptions,
): Confirmation {
  return {
    ...{ orderId: payload.orderId, transaction: formatTransaction(transaction) },
    ...{ from: 'INIT', to: 'PENDING_PAYMENT', closeSeconds: paymentTimeoutSeconds },
  };
}

const OPEN: Outcome = { status: 'PENDING_PAYMENT', reason: null };

async function confirmOrder(
  client: PoolClient,
  call: ConfirmCall<CreateOrderPayload>,
  options: CreateOrderOptions,
): Promise<Done> {
  const confirmed = await confirmAlone(client, opening(call, options));
  if (!confirmed.done) throw new Error(`order ${call.payload.orderId} was tried but is not INIT`);
  return { kind: 'done', afterwards: () => tellOf(call, confirmed, options) };
}

function tellOf(
  { payload: { orderId } }: ConfirmCall<CreateOrderPayload>,
  { awaited, awaited_by: awaitedBy }: Confirmed,
  { tell }: CreateOrderOptions,
): void {
  if (awaited) tell?.({ orderId, outcome: OPEN, awaitedBy });
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
