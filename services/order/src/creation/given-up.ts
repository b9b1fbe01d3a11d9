/**
 * Creations that were given up, and how a payment among them is cancelled so that its money can go back.
 *
 * 1. Money is refunded only where it can never be applied any more: the branch here is Cancelled first, and from then on the fence
 *    refuses every try of this transaction, whoever creates it and however late.
 * 2. A branch that is Tried or Confirmed is left alone: its transaction lives, and the controller decides.
 * 3. The row stays where it is, and with it the alarm, until the payment service says that the money is on its way back. A process
 *    that dies in between leaves what the same command ends.
 */
import type { Pool, PoolClient } from 'pg';
import {
  inTransaction,
  settle,
  sqlFile,
  type Branch,
  type CancelCall,
  type Done,
  type Later,
  type Settled,
} from '../../../kit/src/index.ts';
import { formatTransaction, type FenceState, type PayOrderPayload } from '../../../protocol/src/index.ts';
import type { TransactionName } from '../../../protocol/src/index.ts';
import { payOrderBranch } from '../branches/pay-order.ts';
import { endCreation, hasPaid, lockOrder } from '../held-order.ts';

const LIST_GIVEN_UP = sqlFile(import.meta.url, '../../sql/list-given-up.sql');
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
  readonly waiting: { readonly flow: string; readonly payload: unknown; readonly givenUp: boolean } | undefined;
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
  return { waiting: flow === null ? undefined : { flow, payload, givenUp }, state };
}

interface FoundRow {
  readonly flow: string | null;
  readonly payload: unknown;
  readonly given_up: boolean;
  readonly state: FenceState;
}

export interface PaymentGivenUp {
  readonly transaction: TransactionName;
  readonly payload: PayOrderPayload;
  /** Why, in the person's words. */
  readonly reason: string;
}

/** The branch of a payment whose creation was given up is Cancelled afterwards, or nothing has changed. */
export function cancelGivenUp(pool: Pool, { transaction, payload, reason }: PaymentGivenUp): Promise<Settled> {
  return settle({ pool, branch: givenUpBranch, transaction, as: 'Cancelled', reason, payload });
}

/** Like the branch itself, but the creation's row stays (3), and what was tried is nobody's to cancel here (2). */
const givenUpBranch: Branch<PayOrderPayload> = { ...payOrderBranch(), cancel: keepFromPaying };

async function keepFromPaying(client: PoolClient, call: CancelCall<PayOrderPayload>): Promise<Done | Later> {
  const transaction = formatTransaction(call.transaction);
  if (call.tried) return not(`its order is held for it: ${transaction} lives, and the controller will decide it`);
  // Held, so that payment.succeeded, coming again at this moment, does not begin what is cancelled here.
  const order = call.payload && (await lockOrder(client, call.payload.orderId));
  if (order !== undefined && hasPaid(order, transaction)) return not('the order is paid by this payment');
  const { waiting } = await findCreation(client, transaction);
  if (waiting?.givenUp !== true) return not('its creation is not given up any more');
  return { kind: 'done' };
}

function not(detail: string): Later {
  return { kind: 'later', detail, retryAfterSeconds: 1 };
}

/** Once the money is on its way back: the alarm ends. */
export function endGivenUp(pool: Pool, transaction: string): Promise<void> {
  return inTransaction(pool, (client) => endCreation(client, transaction));
}
