/**
 * What inventory's branches of pay-order and close-order have in common: each ends an order's reservation, in its own way.
 *
 * 1. Try marks the reservation, so that no other transaction ends it meanwhile; no stock moves. When it may is judge-ending.ts's.
 * 2. Confirm ends it: what is sold or returned is what the reservation holds, never what the payload says.
 * 3. Cancel takes the mark off, and the stock stays frozen for whoever comes next. One without a try touches no mark.
 * 4. A confirm or cancel that does not find what its try left is answered as unknown, never as done: then somebody has changed
 *    the data by hand, and a person must look.
 */
import type { PoolClient } from 'pg';
import type { ZodType } from 'zod';
import type { Branch, CancelCall, ConfirmCall, Done, Later, Refused, Tried, TryCall } from '../../../kit/src/index.ts';
import {
  formatTransaction,
  isAttempt,
  type Flow,
  type OrderLine,
  type TransactionName,
} from '../../../protocol/src/index.ts';
import { judgeEnding } from '../judge-ending.ts';
import {
  endReservation,
  endUsually,
  lockReservation,
  markReservation,
  markUsually,
  unmarkReservation,
  type Act,
  type Ending,
} from '../reservation.ts';

/** What another transaction takes from its decision to its confirm is far less; asking more often would not help it. */
const RETRY_AFTER_SECONDS = 1;

interface EndingPayload {
  readonly orderId: string;
  readonly paymentId?: string;
  readonly lines: readonly OrderLine[];
}

export interface EndingBranch<P extends EndingPayload> {
  readonly flow: Flow;
  readonly payload: ZodType<P>;
  readonly ending: Ending;
}

export function endingBranch<P extends EndingPayload>({ flow, payload, ending }: EndingBranch<P>): Branch<P> {
  return {
    branch: 'inventory',
    path: `/tcc/${flow}`,
    payload,
    try: (client, call) => mark(client, call, { flow, ending }),
    confirm: (client, call) => end(client, call, ending),
    cancel: unmark,
    usual: {
      try: ({ transaction, payload: asked }) =>
        isAttempt(flow, transaction.name, asked) ? markUsually(actOf(transaction, asked), asked.lines) : undefined,
      confirm: ({ transaction, payload: asked }) => endUsually(actOf(transaction, asked), ending),
    },
  };
}

async function mark(
  client: PoolClient,
  { transaction, payload }: TryCall<EndingPayload>,
  what: Pick<EndingBranch<EndingPayload>, 'flow' | 'ending'>,
): Promise<Tried | Refused | Later> {
  const act = actOf(transaction, payload);
  const reservation = await lockReservation(client, act.orderId);
  const verdict = judgeEnding(reservation, { ...act, ...what, ...payload });
  switch (verdict.kind) {
    case 'wait':
      return { kind: 'later', detail: verdict.detail, retryAfterSeconds: RETRY_AFTER_SECONDS };
    case 'refuse':
      return { kind: 'refused', detail: verdict.detail };
    case 'ended':
      return { kind: 'tried' };
    case 'mark':
      if (!(await markReservation(client, act, payload.lines)))
        throw new Error(`order ${act.orderId} cannot be marked while it is locked`);
      return { kind: 'tried' };
  }
}

async function end(
  client: PoolClient,
  { transaction, payload }: ConfirmCall<EndingPayload>,
  ending: Ending,
): Promise<Done> {
  const act = actOf(transaction, payload);
  if (!(await endReservation(client, act, ending)))
    throw new Error(`order ${act.orderId} was tried but its mark is gone`);
  return { kind: 'done' };
}

async function unmark(client: PoolClient, call: CancelCall<EndingPayload>): Promise<Done> {
  if (!call.tried) return { kind: 'done' };
  const act = actOf(call.transaction, call.payload);
  if (!(await unmarkReservation(client, act))) throw new Error(`order ${act.orderId} was tried but its mark is gone`);
  return { kind: 'done' };
}

function actOf(transaction: TransactionName, { orderId }: EndingPayload): Act {
  return { orderId, transaction: formatTransaction(transaction) };
}
