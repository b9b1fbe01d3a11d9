/**
 * Inventory's branch of create-order: try freezes what an order needs, confirm makes that final, cancel returns it.
 *
 * 1. All or nothing: an order's lines are frozen together, or the refusal names every SKU that is short.
 * 2. A SKU that was never stocked is out of stock: nobody can sell it, and the caller learns which one it is.
 * 3. An order's creation has its name: a transaction of another name reserves nothing for the order.
 * 4. So has a copy in another namespace, and inventory cannot know which of the two is the order's own: the order service refuses the
 *    other. While one is tried, the other waits; what one's cancel has returned keeps nobody from reserving; what is final does.
 * 5. A refusal leaves no reservation: what the try wrote up to then is undone by the fence.
 */
import type { PoolClient } from 'pg';
import type { Branch, CancelCall, ConfirmCall, Done, Later, Refused, Tried, TryCall } from '../../../kit/src/index.ts';
import {
  createOrderPayloadSchema,
  FOREIGN_ATTEMPT,
  formatTransaction,
  isAttempt,
  type CreateOrderPayload,
} from '../../../protocol/src/index.ts';
import { outOfStock } from '../out-of-stock.ts';
import {
  confirmFreeze,
  confirmFreezeUsually,
  endReservation,
  forgetReturned,
  freezeStock,
  freezeUsually,
  lockReservation,
  type Act,
} from '../reservation.ts';

export const createOrderBranch: Branch<CreateOrderPayload> = {
  branch: 'inventory',
  path: '/tcc/create-order',
  payload: createOrderPayloadSchema,
  try: freeze,
  confirm: makeFinal,
  cancel: giveBack,
  usual: {
    try: (call) => (isOwn(call) ? freezeUsually(actOf(call), call.payload.lines) : undefined),
    confirm: (call) => confirmFreezeUsually(actOf(call)),
  },
};

const isOwn = ({ transaction, payload }: TryCall<CreateOrderPayload>): boolean =>
  isAttempt('create-order', transaction.name, payload);

function actOf({ transaction, payload }: TryCall<CreateOrderPayload>): Act {
  return { orderId: payload.orderId, transaction: formatTransaction(transaction) };
}

const ALREADY_RESERVED: Refused = {
  kind: 'refused',
  detail: 'stock for this order was already reserved before',
};
const OTHER_IS_OPEN: Later = {
  kind: 'later',
  detail: 'another creation of the order, in another namespace, is not decided yet',
  retryAfterSeconds: 1,
};

async function freeze(client: PoolClient, call: TryCall<CreateOrderPayload>): Promise<Tried | Refused | Later> {
  const { orderId, lines } = call.payload;
  if (!isOwn(call)) return { kind: 'refused', detail: FOREIGN_ATTEMPT };
  const act = actOf(call);
  let frozen = await freezeStock(client, act, lines);
  if (!frozen.placed) {
    const other = await lockReservation(client, orderId);
    // Gone while this waited for it: a third creation has forgotten it, and reserves.
    if (other === undefined) return OTHER_IS_OPEN;
    if (other.transaction === act.transaction) return ALREADY_RESERVED;
    if (other.state === 'TRIED') return OTHER_IS_OPEN;
    if (other.state !== 'RETURNED' || other.endedBy !== other.transaction) return ALREADY_RESERVED;
    await forgetReturned(client, orderId);
    frozen = await freezeStock(client, act, lines);
    // Whoever was first in between has made its own since.
    if (!frozen.placed) return OTHER_IS_OPEN;
  }
  if (frozen.missing.length > 0) return { kind: 'refused', detail: outOfStock(frozen.missing) };
  return { kind: 'tried' };
}

async function makeFinal(client: PoolClient, call: ConfirmCall<CreateOrderPayload>): Promise<Done> {
  const act = actOf(call);
  if (!(await confirmFreeze(client, act)))
    throw new Error(`order ${act.orderId} was tried but has no reservation to confirm`);
  return { kind: 'done' };
}

async function giveBack(client: PoolClient, call: CancelCall<CreateOrderPayload>): Promise<Done> {
  if (!call.tried) return { kind: 'done' };
  const { orderId } = call.payload;
  const act = { orderId, transaction: formatTransaction(call.transaction) };
  const returned = await endReservation(client, act, 'RETURNED');
  if (!returned) throw new Error(`order ${orderId} was tried but has no reservation to return`);
  return { kind: 'done' };
}
