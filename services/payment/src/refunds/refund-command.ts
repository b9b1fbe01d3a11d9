/**
 * The command line of `refund`: `node services/payment/src/main.ts refund --payment p2001 --reason "<why>"`, for captured money of which
 * no transaction will ever tell, because the creation of its pay-order transaction was given up.
 *
 * 1. Nothing goes back unless the order service says that this payment can never be applied: its branch is Cancelled, which is for good
 *    (`creations cancel` of the order service sees to it).
 * 2. The refund is written in the database transaction that makes the payment REFUNDING, like any other; the running service orders it
 *    from the provider. A payment.refund that comes later finds it done.
 */
import { parseArgs } from 'node:util';
import type { Pool } from 'pg';
import { inTransaction } from '../../../kit/src/index.ts';
import { paymentIdSchema } from '../../../protocol/src/index.ts';
import type { Attempt, OrderLookup } from '../orders/order-lookup.ts';
import { getPayment, lockPayment, refundPayment, type Payment } from '../payments.ts';

export interface RefundCommand {
  /** What follows the word `refund`. */
  readonly args: readonly string[];
  readonly pool: Pool;
  readonly orders: Pick<OrderLookup, 'attempt'>;
  readonly print: (line: string) => void;
}

export const REFUND_USAGE = `refund --payment <id> --reason "<why>" [--dry-run]
  needs DATABASE_URL, the payment service's database, and ORDER_URL`;

const REASON_CHARS_MAX = 1_024;

/** Resolves with the exit code: 0 on its way back (now or before), 1 nothing was changed, or nobody knows, 2 the command line is not usable. */
export async function refundCommand(command: RefundCommand): Promise<number> {
  const asked = readArguments(command.args);
  if (typeof asked === 'string') {
    command.print(`${asked}\nusage: ${REFUND_USAGE}`);
    return 2;
  }
  try {
    return await refund(command, asked);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    command.print(
      `it is not known whether anything was changed: ${why}\nrun the same command again; it does nothing twice`,
    );
    return 1;
  }
}

async function refund(command: RefundCommand, { paymentId, reason, dryRun }: Asked): Promise<number> {
  const { pool, orders, print } = command;
  const payment = await getPayment(pool, paymentId);
  if (payment?.status === 'REFUNDING' || payment?.status === 'REFUNDED') {
    print(`payment ${paymentId} is ${payment.status} already`);
    return 0;
  }
  const objection = await objectionTo(orders, paymentId, payment);
  if (objection !== undefined) {
    print(`nothing was changed: ${objection}`);
    return 1;
  }
  const cents = `${payment?.capturedCents} cents of payment ${paymentId}`;
  if (dryRun) {
    print(`would be refunded: ${cents}`);
    return 0;
  }
  const refunded = await inTransaction(pool, async (client) => {
    // It may have been refunded since it was looked at; it never becomes SUCCEEDED again.
    const now = await lockPayment(client, paymentId);
    if (now?.status !== 'SUCCEEDED') return false;
    await refundPayment(client, paymentId, reason);
    return true;
  });
  print(
    refunded
      ? `on their way back, by the running service: ${cents}; run creations cancel of the order service again next`
      : `payment ${paymentId} was refunded meanwhile`,
  );
  return 0;
}

async function objectionTo(
  orders: Pick<OrderLookup, 'attempt'>,
  paymentId: string,
  payment: Payment | undefined,
): Promise<string | undefined> {
  const returned = `creations cancel --transaction ${payment?.namespace ?? '<namespace>'}/pay-${paymentId} --reason "<why>" --returned-by-provider`;
  if (payment === undefined)
    return `there is no payment ${paymentId}; ${IF_LOST} have the provider give it back, and then end the alarm of the order service, if it has one: ${returned}`;
  if (payment.status === 'PENDING')
    return `payment ${paymentId} was never captured, so there is nothing to refund; ${IF_LOST} have the provider repeat its success call, and then run this command again; or have it give the money back, and then end the alarm of the order service, if it has one: ${returned}`;
  return objectionOf(payment, await orders.attempt(payment));
}

const IF_LOST = 'if it was captured all the same, and this database has lost that (it was restored),';

function objectionOf({ orderId }: Payment, attempt: Attempt): string | undefined {
  if (attempt.kind === 'unavailable') return `it is not known whether the payment can still be applied: ${attempt.why}`;
  const { transaction, applied, state } = attempt;
  if (applied || state === 'Confirmed') return `the order is paid by this payment (${transaction})`;
  switch (state) {
    case 'Cancelled':
      return undefined;
    case 'Tried':
      return `the order is held for this payment: ${transaction} lives, and the controller will decide it; if \`kubectl get otx\` does not show it, settle its branches as Cancelled (docs/operating/giving-up.md, step 3), and then run this command again`;
    case 'None':
    case 'Refused':
      return `the order has not refused this payment for good, and may take it yet; if nothing will create ${transaction} any more, run first, of the order service, creations cancel --transaction ${transaction} --order ${orderId} --reason "<why>"`;
  }
}

interface Asked {
  readonly paymentId: string;
  readonly reason: string;
  readonly dryRun: boolean;
}

/** A sentence where the arguments are not usable. */
function readArguments(args: readonly string[]): Asked | string {
  const values = parse(args);
  if (typeof values === 'string') return values;
  const paymentId = paymentIdSchema.safeParse(values.payment);
  if (!paymentId.success) return '--payment must be the id of a payment';
  const reason = values.reason?.trim() ?? '';
  if (reason === '' || reason.length > REASON_CHARS_MAX)
    return `--reason must say why, in at most ${REASON_CHARS_MAX} characters`;
  return { paymentId: paymentId.data, reason, dryRun: values['dry-run'] ?? false };
}

function parse(args: readonly string[]) {
  const string = { type: 'string' } as const;
  try {
    const options = { payment: string, reason: string, 'dry-run': { type: 'boolean' } } as const;
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
