/**
 * The order's own branch of pay-order: try takes the order for this payment (PAYING), confirm makes it PAID, cancel lets it go.
 *
 * 1. The order row alone says who may pay it (held-order.ts): a payment that comes while another transaction holds the order, or
 *    after one has won, is refused for good, and its transaction refunds it.
 * 2. A payment that has paid the order already is tried once more without effect, and its cancel never ends: a refund would follow
 *    it. That takes a transaction that comes again after the fence has forgotten it; a person has to look.
 * 3. Confirm and cancel take the creation out of the outbox in their database transaction (T10).
 */
import type { PoolClient } from 'pg';
import type {
  Branch,
  CancelCall,
  ConfirmCall,
  Done,
  Later,
  Log,
  Refused,
  Tried,
  TryCall,
} from '../../../kit/src/index.ts';
import { formatTransaction, payOrderPayloadSchema, type PayOrderPayload } from '../../../protocol/src/index.ts';
import {
  answerOf,
  endCreation,
  hadFailingCloses,
  hasPaid,
  judgePayment,
  lockOrder,
  moveOrder,
  NO_SUCH_ORDER,
} from '../held-order.ts';
import { cancelReason } from './cancel-reason.ts';

/** @param log without one nobody is told: a person who settles by hand sees what becomes of it */
export function payOrderBranch(log?: Log): Branch<PayOrderPayload> {
  return {
    branch: 'order',
    path: '/tcc/pay-order',
    payload: payOrderPayloadSchema,
    try: takeForPayment,
    confirm: (client, call) => pay(client, call, log),
    cancel: letGo,
  };
}

const APPLIED: Later = {
  kind: 'later',
  detail:
    'the order is paid by this payment, so its transaction cannot be cancelled; someone must look why it came again',
  retryAfterSeconds: 60,
};

async function takeForPayment(client: PoolClient, call: TryCall<PayOrderPayload>): Promise<Tried | Refused | Later> {
  const { orderId, paymentId, amountCents } = call.payload;
  const transaction = formatTransaction(call.transaction);
  const order = await lockOrder(client, orderId);
  if (order === undefined) return NO_SUCH_ORDER;
  const verdict = judgePayment(order, { transaction, paymentId, amountCents });
  if (verdict.kind !== 'take') return answerOf(verdict);
  await moveOrder(client, orderId, { status: 'PAYING', heldBy: transaction });
  return { kind: 'tried' };
}

async function pay(client: PoolClient, call: ConfirmCall<PayOrderPayload>, log?: Log): Promise<Done> {
  const { orderId, paymentId } = call.payload;
  const transaction = formatTransaction(call.transaction);
  const order = await lockOrder(client, orderId);
  if (order?.heldBy === transaction) {
    await moveOrder(client, orderId, { status: 'PAID', paymentId, reason: `paid by payment ${paymentId}` });
    if (hadFailingCloses(order)) log?.info({ orderId }, 'an order whose closes came to nothing is paid');
  } else if (order?.paymentId !== paymentId) {
    throw new Error(`order ${orderId} was taken for payment ${paymentId} but is ${order?.status ?? 'gone'}`);
  }
  await endCreation(client, transaction);
  return { kind: 'done' };
}

async function letGo(client: PoolClient, call: CancelCall<PayOrderPayload>): Promise<Done | Later> {
  const transaction = formatTransaction(call.transaction);
  // Held also where nothing is let go: payment.succeeded, coming again at this moment, must not begin anew what ends here.
  const order = call.payload && (await lockOrder(client, call.payload.orderId));
  if (order !== undefined && hasPaid(order, transaction)) return APPLIED;
  if (call.tried) {
    const { orderId, paymentId } = call.payload;
    if (order?.heldBy === transaction) {
      const reason = `payment ${paymentId} was not taken: ${cancelReason(call)}`;
      await moveOrder(client, orderId, { status: 'PENDING_PAYMENT', reason });
    } else if (order?.paymentId !== paymentId) {
      throw new Error(`order ${orderId} was taken for payment ${paymentId} but is ${order?.status ?? 'gone'}`);
    }
  }
  await endCreation(client, transaction);
  return { kind: 'done' };
}
