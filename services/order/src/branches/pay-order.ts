/**
 * The order's own branch of pay-order: try takes the order for this payment (PAYING), confirm makes it PAID, cancel lets it go.
 *
 * 1. The order row alone says who may pay it (held-order.ts): a payment that comes while another transaction holds the order, or
 *    after one has won, is refused for good, and its transaction refunds it.
 * 2. A payment that has paid the order already is tried once more without effect, and its cancel never ends: a refund would follow
 *    it. That takes a transaction that comes again after the fence has forgotten it; a person has to look.
 * 3. A transaction that this service has not asked for pays nothing unasked: whoever may create one could pay an order without money.
 *    The creation in the outbox is the proof, written once the payment service had confirmed the capture. Without one the payment
 *    service is asked now, and has to say the same. Usually that costs nothing, for the taking itself looks for the creation.
 * 4. Confirm and cancel take the creation out of the outbox in their database transaction (T10).
 */
import type { PoolClient } from 'pg';
import {
  sqlFile,
  type Ask,
  type Branch,
  type CancelCall,
  type ConfirmCall,
  type Done,
  type Later,
  type Log,
  type Refused,
  type Tried,
  type TryCall,
} from '../../../kit/src/index.ts';
import {
  formatTransaction,
  isAttempt,
  payOrderPayloadSchema,
  type PayOrderPayload,
} from '../../../protocol/src/index.ts';
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
import { judgeCaptured } from '../payments/judge-captured.ts';
import type { PaymentLookup } from '../payments/payment-lookup.ts';
import { cancelReason } from './cancel-reason.ts';
import { confirmUsually, takeUsually } from './usual-moves.ts';

const TAKE_FOR_PAYMENT = { name: 'take-for-payment', text: sqlFile(import.meta.url, '../../sql/take-for-payment.sql') };

/** What is left out a person who settles by hand stands for: they answer for the payment, and see what becomes of it. */
export interface PayOrderOptions {
  readonly payments?: Pick<PaymentLookup, 'find'>;
  readonly log?: Log;
}

export function payOrderBranch({ payments, log }: PayOrderOptions = {}): Branch<PayOrderPayload> {
  return {
    branch: 'order',
    path: '/tcc/pay-order',
    payload: payOrderPayloadSchema,
    try: (client, call) => takeForPayment(client, call, payments),
    confirm: (client, call) => pay(client, call, log),
    cancel: letGo,
    usual: {
      try: ({ transaction, payload }) =>
        isAttempt('pay-order', transaction.name, payload)
          ? takeUsually({
              ...{ orderId: payload.orderId, transaction: formatTransaction(transaction) },
              ...{ to: 'PAYING', userId: payload.userId, amountCents: payload.amountCents },
            })
          : undefined,
      confirm: ({ transaction, payload: { orderId, paymentId } }) =>
        confirmUsually(
          {
            ...{ orderId, transaction: formatTransaction(transaction), from: 'PAYING', to: 'PAID', paymentId },
            reason: paidBy(paymentId),
          },
          (order) => {
            if (hadFailingCloses(order)) log?.info({ orderId }, PAID_AT_LAST);
          },
        ),
    },
  };
}

const paidBy = (paymentId: string): string => `paid by payment ${paymentId}`;
const PAID_AT_LAST = 'an order whose closes came to nothing is paid';

const APPLIED: Later = {
  kind: 'later',
  detail:
    'the order is paid by this payment, so its transaction cannot be cancelled; someone must look why it came again',
  retryAfterSeconds: 60,
};

/** Long enough for a capture that is under way to come in; the flow's timeout ends it. */
const NOT_CAPTURED_SECONDS = 5;

async function takeForPayment(
  client: PoolClient,
  call: TryCall<PayOrderPayload>,
  payments: PayOrderOptions['payments'],
): Promise<Tried | Refused | Later | Ask> {
  const { orderId, paymentId, userId, amountCents } = call.payload;
  const transaction = formatTransaction(call.transaction);
  const order = await lockOrder(client, orderId);
  if (order === undefined) return NO_SUCH_ORDER;
  const verdict = judgePayment(order, { transaction, paymentId, userId, amountCents });
  if (verdict.kind !== 'take') return answerOf(verdict);
  const vouched = payments === undefined || (call.heard !== undefined && call.heard.objection === undefined);
  const { rowCount } = await client.query({
    ...TAKE_FOR_PAYMENT,
    values: [orderId, transaction, amountCents, vouched],
  });
  if (rowCount === 1) return { kind: 'tried' };
  if (call.heard?.objection !== undefined) return call.heard.objection;
  if (payments === undefined) throw new Error(`order ${orderId} is gone while it is locked`);
  return { kind: 'ask', ask: () => objectionTo(call.payload, payments) };
}

async function objectionTo(
  payload: PayOrderPayload,
  payments: Pick<PaymentLookup, 'find'>,
): Promise<Refused | Later | undefined> {
  const asked = await payments.find(payload.orderId, payload.paymentId);
  // The sentence never changes: why nothing is known is in the payment service's own log.
  const later = (detail: string): Later => ({ kind: 'later', detail, retryAfterSeconds: NOT_CAPTURED_SECONDS });
  if (asked.kind === 'unavailable') return later('the payment service does not say whether the payment was captured');
  const verdict = judgeCaptured(payload, asked.payment);
  switch (verdict.kind) {
    case 'captured':
      return undefined;
    case 'pending':
      return later(verdict.detail);
    case 'other':
    case 'going-back':
      return { kind: 'refused', detail: verdict.detail };
  }
}

async function pay(client: PoolClient, call: ConfirmCall<PayOrderPayload>, log?: Log): Promise<Done> {
  const { orderId, paymentId } = call.payload;
  const transaction = formatTransaction(call.transaction);
  const order = await lockOrder(client, orderId);
  if (order?.heldBy === transaction) {
    await moveOrder(client, orderId, { status: 'PAID', paymentId, reason: paidBy(paymentId) });
    if (hadFailingCloses(order)) log?.info({ orderId }, PAID_AT_LAST);
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
