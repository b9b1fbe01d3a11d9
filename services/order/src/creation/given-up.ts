/**
 * Creations that were given up, and how a payment that nobody will create any more is cancelled so that its money can go back.
 *
 * 1. Money is refunded only where it can never be applied any more: the branch here is Cancelled first, and from then on the fence
 *    refuses every try of this transaction, whoever creates it and however late.
 * 2. A branch that is Tried or Confirmed is left alone: its transaction lives, and the controller decides.
 * 3. The row stays where it is, and with it the alarm, until the payment service says that the money is on its way back, or a person
 *    that the provider has given it back. A process that dies in between leaves what the same command ends.
 */
import type { Pool, PoolClient } from 'pg';
import {
  forgetMessage,
  inTransaction,
  settle,
  sqlFile,
  type Branch,
  type CancelCall,
  type Done,
  type Later,
  type Settled,
} from '../../../kit/src/index.ts';
import {
  besides,
  formatTransaction,
  paymentSucceededId,
  payName,
  type FenceState,
  type PayOrderPayload,
  type TransactionName,
} from '../../../protocol/src/index.ts';
import { payOrderBranch } from '../branches/pay-order.ts';
import { endCreation, hasPaid, lockOrder } from '../held-order.ts';

const LIST_GIVEN_UP = sqlFile(import.meta.url, '../../sql/list-given-up.sql');
const FORGET_CREATION = sqlFile(import.meta.url, '../../sql/forget-creation.sql');
const FIND_CREATION = sqlFile(import.meta.url, '../../sql/find-creation.sql');

export interface GivenUp {
  /** `<namespace>/<name>`. */
  readonly transaction: string;
  readonly flow: string;
  readonly orderId: string;
  readonly ageSeconds: number;
  readonly lastError: string | null;
}

/** The oldest first. */
export async function listGivenUp(pool: Pool, rowsMax: number): Promise<readonly GivenUp[]> {
  const { rows } = await pool.query<ListedRow>(LIST_GIVEN_UP, [rowsMax]);
  return rows.map(({ transaction, flow, order_id: orderId, age_seconds: ageSeconds, last_error: lastError }) => {
    return { transaction, flow, orderId, ageSeconds, lastError };
  });
}

interface ListedRow {
  readonly transaction: string;
  readonly flow: string;
  readonly order_id: string;
  readonly age_seconds: number;
  readonly last_error: string | null;
}

export interface FoundCreation {
  /** What is in the outbox; undefined where nothing is. */
  readonly waiting: { readonly payload: unknown; readonly givenUp: boolean } | undefined;
  /** Of the branch here. */
  readonly state: FenceState;
}

export async function findCreation(
  pool: Pick<Pool | PoolClient, 'query'>,
  transaction: string,
): Promise<FoundCreation> {
  const { rows } = await pool.query<FoundRow>(FIND_CREATION, [transaction]);
  const [row] = rows;
  if (row === undefined) throw new Error('a statement that always has a row had none');
  const { flow, payload, given_up: givenUp, state } = row;
  return { waiting: flow === null ? undefined : { payload, givenUp }, state };
}

interface FoundRow {
  readonly flow: string | null;
  readonly payload: unknown;
  readonly given_up: boolean;
  readonly state: FenceState;
}

export interface PaymentToCancel {
  readonly transaction: TransactionName;
  readonly orderId: string;
  readonly paymentId: string;
  /** Why, in the person's words. */
  readonly reason: string;
  /** Whether its creation is in the outbox, given up; otherwise none may be there. */
  readonly waits: boolean;
}

/** The branch of a payment that nobody will create any more is Cancelled afterwards, or nothing has changed. */
export function cancelPayment(pool: Pool, payment: PaymentToCancel): Promise<Settled> {
  const { transaction, reason } = payment;
  // Like the branch itself, but the creation's row stays (3), and what was tried is nobody's to cancel here (2).
  const branch: Branch<PayOrderPayload> = {
    ...payOrderBranch(),
    cancel: (client, call) => keepFromPaying(client, call, payment),
  };
  return settle({ pool, branch, transaction, as: 'Cancelled', reason });
}

async function keepFromPaying(
  client: PoolClient,
  call: CancelCall<PayOrderPayload>,
  { orderId, paymentId, waits }: PaymentToCancel,
): Promise<Done | Later> {
  const transaction = formatTransaction(call.transaction);
  if (call.tried) return not(TRANSACTION_LIVES);
  // Held, so that payment.succeeded, coming again at this moment, does not begin what is cancelled here.
  const order = await lockOrder(client, orderId);
  if (order !== undefined) {
    const attempt = besides(order.transaction, payName(paymentId));
    if (attempt !== transaction) return not(`the attempt of payment ${paymentId} at this order is ${attempt}`);
    if (hasPaid(order, transaction)) return not('the order is paid by this payment');
  }
  const { waiting } = await findCreation(client, transaction);
  if (waits && waiting?.givenUp !== true) return not('its creation is not given up any more');
  if (!waits && waiting !== undefined) return not('its creation has been begun meanwhile');
  return { kind: 'done' };
}

/** A Tried branch without a transaction is held until somebody settles it: to wait alone would be no end. */
const TRANSACTION_LIVES =
  'its order is held for it, so its transaction lives, and the controller will decide it; if `kubectl get otx` does not show it, settle its branches as Cancelled (docs/operating/giving-up.md, step 3), and then refund';

function not(detail: string): Later {
  return { kind: 'later', detail, retryAfterSeconds: 1 };
}

/** Once the money is on its way back: the alarm ends. */
export function endGivenUp(pool: Pool, transaction: string): Promise<void> {
  return inTransaction(pool, (client) => endCreation(client, transaction));
}

/**
 * Once a person says that the provider has given the money back, of which the payment service knows nothing: the alarm ends. Should the
 * capture be told once more, it is judged as if for the first time, and is refused: it must be looked at.
 */
export function endReturned(
  pool: Pool,
  { transaction, paymentId }: Pick<PaymentToCancel, 'transaction' | 'paymentId'>,
): Promise<void> {
  return inTransaction(pool, async (client) => {
    await client.query(FORGET_CREATION, [formatTransaction(transaction)]);
    await forgetMessage(client, paymentSucceededId(paymentId));
  });
}
