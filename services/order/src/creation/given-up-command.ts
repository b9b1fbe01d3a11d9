/**
 * The command line of `creations given-up`, which lists what is not sent any more, and of `creations cancel --transaction shop/pay-p2001
 * --reason "<why>"`, which sees to it that a payment among them can never be applied, so that the payment service may refund it.
 */
import { parseArgs } from 'node:util';
import type { Pool } from 'pg';
import type { Settled } from '../../../kit/src/index.ts';
import {
  formatTransaction,
  parseTransaction,
  payOrderPayloadSchema,
  type TransactionName,
} from '../../../protocol/src/index.ts';
import type { PaymentLookup } from '../payments/payment-lookup.ts';
import { cancelGivenUp, endGivenUp, findCreation, listGivenUp, type PaymentGivenUp } from './given-up.ts';

export interface GivenUpCommand {
  /** What follows the word `creations`. */
  readonly args: readonly string[];
  readonly pool: Pool;
  readonly payments: PaymentLookup;
  readonly print: (line: string) => void;
}

export const GIVEN_UP_USAGE =
  'creations given-up, or: creations cancel --transaction <namespace>/pay-<paymentId> --reason "<why>" [--dry-run]';

/** Also the fence row's limit. */
const REASON_CHARS_MAX = 1_024;
const LISTED_MAX = 1_000;
const DAY_SECONDS = 24 * 3_600;
/** Of a payment whose money is on its way back, or there. */
const GOING_BACK: readonly string[] = ['REFUNDING', 'REFUNDED'];

/** Resolves with the exit code: 0 done (now or before), 1 nothing was changed, or nobody knows, 2 the command line is not usable. */
export async function givenUpCommand(command: GivenUpCommand): Promise<number> {
  const asked = readArguments(command.args);
  if (typeof asked === 'string') {
    command.print(`${asked}\nusage: ${GIVEN_UP_USAGE}`);
    return 2;
  }
  try {
    return asked.verb === 'given-up' ? await list(command) : await cancel(command, asked);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    command.print(
      `it is not known whether anything was changed: ${why}\nrun the same command again; it does nothing twice`,
    );
    return 1;
  }
}

async function list({ pool, print }: GivenUpCommand): Promise<number> {
  const rows = await listGivenUp(pool, LISTED_MAX);
  for (const { transaction, flow, orderId, ageSeconds, lastError } of rows) {
    const days = Math.floor(ageSeconds / DAY_SECONDS);
    print(
      `${transaction} (${flow}, order ${orderId}), wanted for ${days} days: ${lastError ?? 'its branch has not ended'}`,
    );
  }
  if (rows.length === 0) print('no creation is given up');
  if (rows.length === LISTED_MAX) print(`and perhaps more: these are the oldest ${LISTED_MAX}`);
  return 0;
}

async function cancel(command: GivenUpCommand, asked: CancelAsked): Promise<number> {
  const { pool, payments, print } = command;
  const found = await findPayment(pool, asked);
  if (found.kind !== 'given-up') {
    print(found.sentence);
    return found.kind === 'ended' ? 0 : 1;
  }
  const { payment } = found;
  const { orderId, paymentId } = payment.payload;
  // Asked first: whoever cannot go on changes nothing.
  const known = await payments.ofOrders([orderId]);
  if (known.kind === 'unavailable') {
    print(`nothing was changed: it is not known what became of payment ${paymentId}: ${known.why}`);
    return 1;
  }
  const status = known.payments.find((each) => each.paymentId === paymentId)?.status;
  const name = formatTransaction(payment.transaction);
  if (asked.dryRun) {
    print(`${name} would be kept from paying order ${orderId}; payment ${paymentId} is ${status ?? 'not known there'}`);
    return 0;
  }
  const settled = await cancelGivenUp(pool, payment);
  if (settled.kind !== 'settled' && settled.kind !== 'already') {
    print(`nothing was changed: ${whyNot(name, settled)}`);
    return 1;
  }
  print(`${name} can never pay order ${orderId} any more`);
  if (status !== undefined && GOING_BACK.includes(status)) {
    await endGivenUp(pool, name);
    print(`payment ${paymentId} is ${status}: nothing is left to do`);
  } else {
    print(
      `payment ${paymentId} is ${status ?? 'not known to the payment service'}: run next, of the payment service, refund --payment ${paymentId} --reason "<why>", and then this command again; until then the alarm stays`,
    );
  }
  return 0;
}

function whyNot(name: string, settled: Extract<Settled, { readonly detail: string }>): string {
  const { kind, detail } = settled;
  return kind === 'contrary' ? `${name} is Confirmed here: its payment is applied` : `${name}: ${detail}`;
}

type FoundPayment =
  | { readonly kind: 'given-up'; readonly payment: PaymentGivenUp }
  | { readonly kind: 'ended' | 'not-given-up'; readonly sentence: string };

async function findPayment(pool: Pool, { transaction, reason }: CancelAsked): Promise<FoundPayment> {
  const name = formatTransaction(transaction);
  const { waiting, state } = await findCreation(pool, name);
  const not = (why: string): FoundPayment => ({ kind: 'not-given-up', sentence: `nothing was changed: ${why}` });
  if (waiting === undefined && state === 'Cancelled')
    return { kind: 'ended', sentence: `${name} is Cancelled here, and its creation has ended: nothing is left to do` };
  if (waiting === undefined)
    return not(`no creation of ${name} waits here, and its branch is ${state}: there is nothing to cancel`);
  if (waiting.flow !== 'pay-order') return not(`${name} is a ${waiting.flow}: only a payment is cancelled like this`);
  if (!waiting.givenUp) return not(`the creation of ${name} is not given up: it is still sent again`);
  const payload = payOrderPayloadSchema.safeParse(waiting.payload);
  if (!payload.success) return not(`the payload of ${name} is not usable: ${payload.error.message}`);
  return { kind: 'given-up', payment: { transaction, payload: payload.data, reason } };
}

interface CancelAsked {
  readonly verb: 'cancel';
  readonly transaction: TransactionName;
  readonly reason: string;
  readonly dryRun: boolean;
}

/** A sentence where the arguments are not usable. */
function readArguments([verb, ...rest]: readonly string[]): { readonly verb: 'given-up' } | CancelAsked | string {
  const values = parse(rest);
  if (typeof values === 'string') return values;
  if (verb === 'given-up') return rest.length === 0 ? { verb } : 'given-up takes no options';
  if (verb !== 'cancel') return 'say what to do with the creations: again, given-up or cancel';
  const transaction = parseTransaction(values.transaction ?? '');
  if (transaction === undefined) return '--transaction must be <namespace>/<name>';
  const reason = values.reason?.trim() ?? '';
  if (reason === '' || reason.length > REASON_CHARS_MAX)
    return `--reason must say why, in at most ${REASON_CHARS_MAX} characters`;
  return { verb, transaction, reason, dryRun: values['dry-run'] ?? false };
}

function parse(args: readonly string[]) {
  const string = { type: 'string' } as const;
  try {
    const options = { transaction: string, reason: string, 'dry-run': { type: 'boolean' } } as const;
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
