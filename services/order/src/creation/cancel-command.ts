/**
 * The command line of `creations cancel --transaction shop/pay-p2001 --reason "<why>"`, which sees to it that a payment can never be
 * applied, so that the payment service may refund it.
 *
 * 1. What it ends with says what is left to do: this command and `refund` of the payment service never send a person to each other
 *    without anything having changed in between.
 * 2. A payment service that has forgotten a capture (its database was restored) cannot refund it. Either the provider repeats its call, or
 *    it has given the money back itself, and then a person says so (--returned-by-provider).
 */
import { parseArgs } from 'node:util';
import type { Pool } from 'pg';
import type { Settled } from '../../../kit/src/index.ts';
import {
  formatTransaction,
  orderIdSchema,
  parseTransaction,
  paymentIdOf,
  payOrderPayloadSchema,
  type TransactionName,
} from '../../../protocol/src/index.ts';
import type { PaymentLookup } from '../payments/payment-lookup.ts';
import { cancelPayment, endGivenUp, endReturned, findCreation, type PaymentToCancel } from './given-up.ts';
import { CREATIONS_USAGE } from './usage.ts';

export interface CancelCommand {
  /** What follows the words `creations cancel`. */
  readonly args: readonly string[];
  readonly pool: Pool;
  readonly payments: PaymentLookup;
  readonly print: (line: string) => void;
}

/** Also the fence row's limit. */
const REASON_CHARS_MAX = 1_024;
/** Of a payment whose money is on its way back, or there. */
const GOING_BACK: readonly string[] = ['REFUNDING', 'REFUNDED'];

/** Resolves with the exit code: 0 done (now or before), 1 nothing was changed, or nobody knows, 2 the command line is not usable. */
export async function cancelCommand(command: CancelCommand): Promise<number> {
  const asked = readArguments(command.args);
  if (typeof asked === 'string') {
    command.print(`${asked}\n${CREATIONS_USAGE}`);
    return 2;
  }
  try {
    return await cancel(command, asked);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    command.print(
      `it is not known whether anything was changed: ${why}\nrun the same command again; it does nothing twice`,
    );
    return 1;
  }
}

async function cancel({ pool, payments, print }: CancelCommand, asked: Asked): Promise<number> {
  const found = await findPayment(pool, asked);
  if (found.kind !== 'payment') {
    print(found.sentence);
    return found.kind === 'ended' ? 0 : 1;
  }
  const { payment } = found;
  const { orderId, paymentId, waits } = payment;
  // Asked first: whoever cannot go on changes nothing.
  const known = await payments.ofOrders([orderId]);
  if (known.kind === 'unavailable') {
    print(`nothing was changed: it is not known what became of payment ${paymentId}: ${known.why}`);
    return 1;
  }
  const status = known.payments.find((each) => each.paymentId === paymentId)?.status;
  const name = formatTransaction(payment.transaction);
  if (!waits && status !== 'SUCCEEDED') {
    print(`nothing was changed: ${withoutMoney(payment, status)}`);
    return 1;
  }
  if (asked.returned && status === 'SUCCEEDED') {
    print(
      `nothing was changed: payment ${paymentId} is SUCCEEDED, so the payment service gives it back: ${refundOf(paymentId)}`,
    );
    return 1;
  }
  if (asked.dryRun) {
    print(`${name} would be kept from paying order ${orderId}; payment ${paymentId} is ${status ?? 'not known there'}`);
    return 0;
  }
  const settled = await cancelPayment(pool, payment);
  if (settled.kind !== 'settled' && settled.kind !== 'already') {
    print(`nothing was changed: ${whyNot(name, settled)}`);
    return 1;
  }
  print(`${name} can never pay order ${orderId} any more`);
  print(await whatIsLeft(pool, payment, status, asked.returned));
  return 0;
}

async function whatIsLeft(
  pool: Pool,
  { transaction, paymentId, waits }: PaymentToCancel,
  status: string | undefined,
  returned: boolean,
): Promise<string> {
  if (!waits) return `payment ${paymentId} is SUCCEEDED: run next ${refundOf(paymentId)}`;
  if (status !== undefined && GOING_BACK.includes(status)) {
    await endGivenUp(pool, formatTransaction(transaction));
    return `payment ${paymentId} is ${status}: nothing is left to do`;
  }
  if (status === 'SUCCEEDED')
    return `payment ${paymentId} is SUCCEEDED: run next ${refundOf(paymentId)}, and then this command again; until then the alarm stays`;
  if (returned) {
    await endReturned(pool, { transaction, paymentId });
    return `payment ${paymentId} was given back by its provider: nothing is left to do`;
  }
  const known = status === undefined ? 'not known to the payment service' : `${status} there`;
  const repeated =
    status === undefined
      ? `it cannot refund it: have the provider give it back`
      : `have the provider repeat its success call and run ${refundOf(paymentId)}, and then this command again; or have it give the money back`;
  return `payment ${paymentId} is ${known}, though it was captured: its database has lost that. Next, ${repeated}, and then run this command again with --returned-by-provider; until then the alarm stays`;
}

function refundOf(paymentId: string): string {
  return `refund --payment ${paymentId} --reason "<why>" of the payment service`;
}

/** Of a payment that nothing here waits for. */
function withoutMoney({ orderId, paymentId }: PaymentToCancel, status: string | undefined): string {
  if (status === undefined) return `the payment service knows no payment ${paymentId} of order ${orderId}`;
  if (GOING_BACK.includes(status)) return `payment ${paymentId} is ${status} already`;
  return `payment ${paymentId} is ${status}: as far as the payment service knows nothing was captured of it`;
}

function whyNot(name: string, settled: Extract<Settled, { readonly detail: string }>): string {
  const { kind, detail } = settled;
  return kind === 'contrary' ? `${name} is Confirmed here: its payment is applied` : `${name}: ${detail}`;
}

type FoundPayment =
  | { readonly kind: 'payment'; readonly payment: PaymentToCancel }
  | { readonly kind: 'ended' | 'not'; readonly sentence: string };

async function findPayment(pool: Pool, { transaction, paymentId, reason, orderId }: Asked): Promise<FoundPayment> {
  const name = formatTransaction(transaction);
  const { waiting, state } = await findCreation(pool, name);
  const not = (why: string): FoundPayment => ({ kind: 'not', sentence: `nothing was changed: ${why}` });
  if (waiting === undefined) {
    switch (state) {
      case 'Cancelled': {
        const sentence = `${name} is Cancelled here, and no creation of it waits: nothing is left to do here; whether its money is on its way back says ${refundOf(paymentId)}`;
        return { kind: 'ended', sentence };
      }
      case 'Confirmed':
        return not(`${name} is Confirmed here: its payment is applied`);
      case 'Tried':
      case 'Refused':
      case 'None':
        if (orderId !== undefined)
          return { kind: 'payment', payment: { transaction, orderId, paymentId, reason, waits: false } };
        return not(
          `no creation of ${name} waits here, and its branch is ${state}; if its money was captured, name its order as well: --order <id>`,
        );
    }
  }
  if (!waiting.givenUp)
    return not(
      `the creation of ${name} is not given up: it is still sent again, and the controller decides what is created`,
    );
  const payload = payOrderPayloadSchema.safeParse(waiting.payload);
  if (!payload.success) return not(`the payload of ${name} is not usable: ${payload.error.message}`);
  return { kind: 'payment', payment: { transaction, orderId: payload.data.orderId, paymentId, reason, waits: true } };
}

interface Asked {
  readonly transaction: TransactionName;
  readonly paymentId: string;
  readonly reason: string;
  readonly orderId: string | undefined;
  readonly returned: boolean;
  readonly dryRun: boolean;
}

/** A sentence where the arguments are not usable. */
function readArguments(args: readonly string[]): Asked | string {
  const values = parse(args);
  if (typeof values === 'string') return values;
  const transaction = parseTransaction(values.transaction ?? '');
  const paymentId = transaction && paymentIdOf(transaction.name);
  if (transaction === undefined || paymentId === undefined) return '--transaction must be <namespace>/pay-<paymentId>';
  const reason = values.reason?.trim() ?? '';
  if (reason === '' || reason.length > REASON_CHARS_MAX)
    return `--reason must say why, in at most ${REASON_CHARS_MAX} characters`;
  const orderId = orderIdSchema.optional().safeParse(values.order);
  if (!orderId.success) return '--order must be the id of an order';
  const { 'returned-by-provider': returned = false, 'dry-run': dryRun = false } = values;
  return { transaction, paymentId, reason, orderId: orderId.data, returned, dryRun };
}

function parse(args: readonly string[]) {
  const [string, boolean] = [{ type: 'string' }, { type: 'boolean' }] as const;
  try {
    const options = {
      ...{ transaction: string, order: string, reason: string },
      ...{ 'returned-by-provider': boolean, 'dry-run': boolean },
    } as const;
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
