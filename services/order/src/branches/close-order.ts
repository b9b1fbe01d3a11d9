/**
 * The order's own branch of close-order: try takes the order (CLOSING), confirm makes it CLOSED, cancel lets it go.
 *
 * 1. The order row alone says whether it may be closed (held-order.ts): while a payment holds it, or has won, or another close is the
 *    one that was begun, the close is refused.
 * 2. A cancelled close, tried or not, leaves the order open for another one (order row: closing is null), a little later, under
 *    a number of its own, and the later the more of them came to nothing: the fence would answer for a name that was used before.
 * 3. Confirm and cancel take the creation out of the outbox in their database transaction (T10). Whoever waits is told: after a usual
 *    confirm by this process (`tell`), else by a notification in that database transaction.
 */
import type { PoolClient } from 'pg';
import {
  sqlFile,
  type Branch,
  type CancelCall,
  type ConfirmCall,
  type Done,
  type Log,
  type Later,
  type Refused,
  type Tried,
  type TryCall,
} from '../../../kit/src/index.ts';
import {
  closedOrderIdOf,
  closeNumberOf,
  closeOrderPayloadSchema,
  formatTransaction,
  type CloseCause,
  type CloseOrderPayload,
} from '../../../protocol/src/index.ts';
import {
  answerOf,
  endCreation,
  hadFailingCloses,
  judgeClose,
  lockOrder,
  moveOrder,
  NO_SUCH_ORDER,
} from '../held-order.ts';
import { cancelReason } from './cancel-reason.ts';
import { confirmUsually, takeUsually, type Tell } from './usual-moves.ts';

const END_CLOSE = { name: 'end-close', text: sqlFile(import.meta.url, '../../sql/end-close.sql') };

/** @param log without one, and without `tell`, nobody is told: a person who settles by hand sees what becomes of it */
export function closeOrderBranch(log?: Log, tell?: Tell): Branch<CloseOrderPayload> {
  return {
    branch: 'order',
    path: '/tcc/close-order',
    payload: closeOrderPayloadSchema,
    try: takeForClosing,
    confirm: (client, call) => close(client, call, log),
    cancel: (client, call) => letGo(client, call, log),
    usual: {
      try: ({ transaction, payload: { orderId, cause } }) =>
        closeNumberOf(transaction.name, orderId) === 0
          ? undefined
          : takeUsually({
              ...{ orderId, transaction: formatTransaction(transaction), to: 'CLOSING', reason: CAUSES[cause] },
            }),
      confirm: ({ transaction, payload: { orderId, cause } }) =>
        confirmUsually(
          {
            ...{ orderId, transaction: formatTransaction(transaction), from: 'CLOSING', to: 'CLOSED' },
            reason: CAUSES[cause],
          },
          (order) => {
            if (hadFailingCloses(order)) log?.info({ orderId }, CLOSED_AT_LAST);
            const outcome = { status: 'CLOSED', reason: CAUSES[cause] } as const;
            if (order.awaited) tell?.({ orderId, outcome, awaitedBy: order.awaited_by });
          },
        ),
    },
  };
}

const CLOSED_AT_LAST = 'an order whose closes came to nothing is closed';

const NOTE_FAILING_CLOSE = {
  name: 'note-failing-close',
  text: sqlFile(import.meta.url, '../../sql/note-failing-close.sql'),
};

/** For the order's history; it is said once. */
export const CLOSES_FAIL =
  'its closes come to nothing: they are begun again ever more rarely, and someone must look why';
/** One that is refused for good is not made for ever as often as one that only met a payment; longer, and its stock lies for a day. */
const CLOSE_AGAIN_SECONDS_MAX = 3_600;
/** Long enough for the payment that refused the close to end, short enough for the stock to be back on sale soon. */
const CLOSE_AGAIN_SECONDS = 10;

const CAUSES: Readonly<Record<CloseCause, string>> = {
  unpaid: 'it was not paid in time',
  withdrawn: 'the customer withdrew it',
};

async function takeForClosing(client: PoolClient, call: TryCall<CloseOrderPayload>): Promise<Tried | Refused | Later> {
  const { orderId, cause } = call.payload;
  const transaction = formatTransaction(call.transaction);
  const order = await lockOrder(client, orderId);
  if (order === undefined) return NO_SUCH_ORDER;
  const verdict = judgeClose(order, transaction);
  if (verdict.kind !== 'take') return answerOf(verdict);
  await moveOrder(client, orderId, { status: 'CLOSING', heldBy: transaction, reason: CAUSES[cause] });
  return { kind: 'tried' };
}

async function close(client: PoolClient, call: ConfirmCall<CloseOrderPayload>, log?: Log): Promise<Done> {
  const { orderId, cause } = call.payload;
  const transaction = formatTransaction(call.transaction);
  const order = await lockOrder(client, orderId);
  if (order?.heldBy === transaction) {
    await moveOrder(client, orderId, { status: 'CLOSED', reason: CAUSES[cause] });
    if (hadFailingCloses(order)) log?.info({ orderId }, CLOSED_AT_LAST);
  } else if (order?.status !== 'CLOSED' || order.closing !== transaction) {
    throw new Error(`order ${orderId} was taken to be closed but is ${order?.status ?? 'gone'}`);
  }
  await endCreation(client, transaction);
  return { kind: 'done' };
}

async function letGo(client: PoolClient, call: CancelCall<CloseOrderPayload>, log?: Log): Promise<Done> {
  const transaction = formatTransaction(call.transaction);
  const orderId = call.payload?.orderId ?? closedOrderIdOf(call.transaction.name);
  const order = await lockOrder(client, orderId);
  if (call.tried && order?.heldBy === transaction) {
    await moveOrder(client, orderId, { status: 'PENDING_PAYMENT', reason: `it was not closed: ${cancelReason(call)}` });
  } else if (call.tried && !(order?.status === 'CLOSED' && order.closing === transaction)) {
    throw new Error(`order ${orderId} was taken to be closed but is ${order?.status ?? 'gone'}`);
  }
  await client.query({ ...END_CLOSE, values: [orderId, transaction, CLOSE_AGAIN_SECONDS, CLOSE_AGAIN_SECONDS_MAX] });
  if (order?.closing === transaction) {
    const { rowCount } = await client.query({ ...NOTE_FAILING_CLOSE, values: [orderId, CLOSES_FAIL] });
    if (rowCount === 1)
      log?.warn({ orderId, closes: order.closes, reason: cancelReason(call) }, `an order: ${CLOSES_FAIL}`);
  }
  await endCreation(client, transaction);
  return { kind: 'done' };
}
