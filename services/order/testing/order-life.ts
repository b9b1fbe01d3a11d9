/**
 * An order's life from the moment it waits for its payment: whoever wants something of it, several at the same moment, and a look
 * at everything the database has of it after each moment.
 *
 * The coordinator is played here, and does what one may: a transaction is decided once, confirmed only after its try was answered
 * Tried, cancelled at any time, also before its try; and every call may come again, however late. Messages are handed to their
 * handlers and not laid on the stream, so that a fault in one is thrown here and not made good by its next copy.
 */
import { isDeepStrictEqual } from 'node:util';
import { waitFor } from '../../../local/deadline.ts';
import type { BranchAnswer } from '../../../tests/services/call-branch.ts';
import { received } from '../../../tests/services/running-consumers.ts';
import { TWIN_NAMESPACE } from '../../../tests/services/running.ts';
import type { OnceHandler } from '../../kit/src/index.ts';
import { handleOnce } from '../../kit/src/messages/inbox.ts';
import { memoryLog } from '../../kit/testing/memory-log.ts';
import { startClosing } from '../src/closing.ts';
import { makeDueAgain } from '../src/creation/ended.ts';
import { paymentSucceeded } from '../src/messages/payment-succeeded.ts';
import type { PaymentLookup } from '../src/payments/payment-lookup.ts';
import { wmsShipped } from '../src/messages/wms-shipped.ts';
import { explain, type Happened, type Seen } from './one-after-another.ts';
import {
  causeOf,
  isAsBegun,
  openModel,
  type OrderModel,
  type Close,
  type Contender,
  type Payment,
  type Step,
} from './order-model.ts';
import { DEADLINE_MS, TOTAL_CENTS, type CreationRow, type OrderFixture, type Steps } from './order-fixture.ts';

export type Decision = 'confirm' | 'cancel';
/** A copy has another name, a twin another namespace; both have the first payment's payload, or the first close's. */
export type ContenderName =
  | 'payment 1'
  | 'payment 2'
  | 'close 1'
  | 'close 2'
  | 'close 3'
  | 'payment copy'
  | 'payment twin'
  | 'close copy'
  | 'close twin';

/** What somebody is about to do. Messages with the same copy are the same; with another one they say the same. */
export type Intent =
  | { readonly kind: 'try'; readonly of: ContenderName }
  /** Tried first where the wish is to confirm; what was decided before is said again, whatever the wish. */
  | { readonly kind: 'decide'; readonly of: ContenderName; readonly wish: Decision }
  | { readonly kind: 'captured'; readonly of: 'payment 1' | 'payment 2'; readonly copy: number }
  | { readonly kind: 'shipped'; readonly copy: number }
  | { readonly kind: 'receipt' | 'withdrawal' | 'overdue' | 'replayed' };

export interface LifeOptions {
  /** What the second payment is of. */
  readonly secondAmountCents: number;
}

type EndedRow = Pick<CreationRow, 'transaction' | 'flow' | 'payload'> & { readonly cause: string | null };

const COPIES_MAX = 3;
const LOOK_EVERY_MS = 10;
/** More at once would take long to be found impossible. */
const AT_ONCE_MAX = 5;
const ROUNDS_MAX = 10;

export class OrderLife {
  readonly #fixture: OrderFixture;
  readonly #payments: readonly [Payment, Payment];
  readonly #decisions = new Map<string, Decision>();
  /** After each moment, the latest last. */
  readonly seen: Seen[] = [];
  #model: OrderModel;

  private constructor(fixture: OrderFixture, orderId: string, { secondAmountCents }: LifeOptions) {
    this.#fixture = fixture;
    this.#model = openModel(orderId, fixture.namespace);
    this.#payments = [this.#payment(orderId, 1, TOTAL_CENTS), this.#payment(orderId, 2, secondAmountCents)];
  }

  static async begin(fixture: OrderFixture, options: LifeOptions): Promise<OrderLife> {
    return new OrderLife(fixture, await fixture.placed(), options);
  }

  #payment(orderId: string, number: number, amountCents: number): Payment {
    const paymentId = `${orderId}-p${String(number)}`;
    const transaction = `${this.#fixture.namespace}/pay-${paymentId}`;
    return { kind: 'payment', transaction, paymentId, amountCents, foreign: false };
  }

  #close(number: number): Close {
    const { orderId, namespace } = this.#model;
    const transaction = `${namespace}/close-${orderId}-${String(number)}`;
    return { kind: 'close', transaction, number, cause: causeOf(number), foreign: false };
  }

  #copy<C extends Contender>(of: C): C {
    return { ...of, transaction: `${of.transaction}-again`, foreign: true };
  }

  #twin<C extends Contender>(of: C): C {
    return { ...of, transaction: of.transaction.replace(/^[^/]+/, TWIN_NAMESPACE), foreign: true };
  }

  #foreigners(): readonly Contender[] {
    const originals = [this.#payments[0], this.#close(1)] as const;
    return originals.flatMap((of) => [this.#copy(of), this.#twin(of)]);
  }

  get model(): OrderModel {
    return this.#model;
  }

  /** All of it at the same moment. Rejects when what is answered, and there afterwards, is that of no order of its steps. */
  async moment(intents: readonly Intent[]): Promise<void> {
    await this.#steps(intents.map((intent) => this.#stepOf(intent)));
  }

  async #steps(steps: readonly Step[]): Promise<void> {
    const before = this.#model;
    const happened = await Promise.all(steps.map(async (step) => ({ step, answer: await this.#answer(step) })));
    const seen = await this.#look();
    this.seen.push(seen);
    const model = explain(before, happened, seen);
    if (model === undefined)
      throw new Error(`no order of these steps ends like this:\n${storyOf(before, happened, seen)}`);
    this.#model = model;
  }

  /** Every transaction that anybody has begun ends, as these wish in turn. */
  async end(wishes: readonly Decision[]): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      // Else the scanner would begin another close when nobody looks for one any more.
      await this.#steps([{ kind: 'reprieve' }]);
      const open = this.#open();
      if (open.length === 0) return;
      const untried = open.filter(({ transaction }) => !(transaction in this.#model.branches));
      if (untried.length > 0) await this.#steps(untried.map((of): Step => ({ kind: 'try', of })));
      await this.#steps(
        open.map((of, index) => this.#decided(of, wishes[(round + index) % wishes.length] ?? 'cancel')),
      );
    }
    throw new Error(`transactions of order ${this.#model.orderId} do not come to an end`);
  }

  /** Everything that was ever called or told, once more. It is answered as ever, and nothing changes. */
  async again(): Promise<void> {
    const before = this.#model;
    const calls = this.#contenders()
      .filter(({ transaction }) => transaction in before.branches)
      .flatMap((of): Step[] => [
        { kind: 'try', of },
        { kind: this.#decisions.get(of.transaction) ?? 'cancel', of },
      ]);
    const told = before.handled.flatMap((id) => this.#messages().filter((message) => message.id === id));
    const steps: readonly Step[] = [...calls, ...told, { kind: 'replayed' }];
    for (let first = 0; first < steps.length; first += AT_ONCE_MAX)
      await this.#steps(steps.slice(first, first + AT_ONCE_MAX));
    if (!isDeepStrictEqual(this.#model, before)) throw new Error(`repeats have changed order ${before.orderId}`);
  }

  #open(): readonly Contender[] {
    const { branches, creations } = this.#model;
    const isOpen = (transaction: string): boolean => {
      const { state } = branches[transaction] ?? {};
      return state === undefined ? transaction in creations : state === 'Tried' || state === 'Refused';
    };
    return this.#contenders().filter(({ transaction }) => isOpen(transaction));
  }

  /** Every one there may be by now. */
  #contenders(): readonly Contender[] {
    const closes = Array.from({ length: Math.max(this.#model.closes, 3) }, (_, index) => this.#close(index + 1));
    return [...this.#payments, ...closes, ...this.#foreigners()];
  }

  #messages(): readonly Extract<Step, { readonly id: string }>[] {
    const copies = Array.from({ length: COPIES_MAX }, (_, copy) => copy);
    return [
      ...this.#payments.flatMap((of) => copies.map((copy) => this.#captured(of, copy))),
      ...copies.map((copy) => this.#shipped(copy)),
    ];
  }

  #captured(of: Payment, copy: number) {
    return { kind: 'captured', of, id: `payment/payment.succeeded/${of.paymentId}/${String(copy)}` } as const;
  }

  #shipped(copy: number) {
    return { kind: 'shipped', id: `wms/wms.shipped/${this.#model.orderId}/${String(copy)}` } as const;
  }

  #named(name: ContenderName): Contender {
    if (name.endsWith('copy')) return this.#copy(this.#named(name.startsWith('payment') ? 'payment 1' : 'close 1'));
    if (name.endsWith('twin')) return this.#twin(this.#named(name.startsWith('payment') ? 'payment 1' : 'close 1'));
    const number = Number(name.at(-1));
    return name.startsWith('payment') ? this.#payments[number === 1 ? 0 : 1] : this.#close(number);
  }

  #stepOf(intent: Intent): Step {
    switch (intent.kind) {
      case 'try':
        return { kind: 'try', of: this.#named(intent.of) };
      case 'decide':
        return this.#decided(this.#named(intent.of), intent.wish);
      case 'captured':
        return this.#captured(this.#payments[intent.of === 'payment 1' ? 0 : 1], intent.copy);
      case 'shipped':
        return this.#shipped(intent.copy);
      case 'receipt':
      case 'withdrawal':
      case 'overdue':
      case 'replayed':
        return intent;
    }
  }

  /** What the coordinator may call for this wish, from what it has heard until the moment before. */
  #decided(of: Contender, wish: Decision): Step {
    const { transaction } = of;
    const earlier = this.#decisions.get(transaction);
    if (earlier !== undefined) return { kind: earlier, of };
    const { state } = this.#model.branches[transaction] ?? {};
    if (wish === 'confirm' && state === undefined) return { kind: 'try', of };
    const decision = wish === 'confirm' && state === 'Tried' ? 'confirm' : 'cancel';
    this.#decisions.set(transaction, decision);
    return { kind: decision, of };
  }

  async #answer(step: Step): Promise<string> {
    const { orderId } = this.#model;
    switch (step.kind) {
      case 'try':
      case 'confirm':
      case 'cancel':
        return branchAnswer(await this.#callsOf(step.of)[step.kind]());
      case 'captured': {
        const { paymentId, amountCents } = step.of;
        return this.#told(paymentSucceeded({ relay: NOBODY_SENDS, payments: confirming(step.of, orderId) }), step.id, {
          ...{ paymentId, orderId, amountCents },
        });
      }
      case 'shipped':
        return this.#told(wmsShipped, step.id, { orderId });
      case 'receipt':
        return customerAnswer(await this.#fixture.post(`/orders/${orderId}/receipt`));
      case 'withdrawal':
        return customerAnswer(await this.#fixture.post(`/orders/${orderId}/withdraw`, { prefer: 'wait=0' }));
      case 'reprieve':
        return this.#reprieve();
      case 'overdue':
        return this.#overdue();
      case 'replayed':
        return this.#replayed();
    }
  }

  #callsOf(of: Contender): Steps {
    const { orderId } = this.#model;
    if (of.kind === 'payment') return this.#fixture.payment(orderId, of);
    const [namespace, name = ''] = of.transaction.split('/');
    return this.#fixture.closingNamed(name, orderId, of.cause, namespace);
  }

  async #told<Data>(handler: OnceHandler<Data>, id: string, data: Data): Promise<string> {
    const answer = await handleOnce(
      this.#fixture.service.database,
      handler,
      received({ id, type: handler.type, data }),
    );
    return answer.kind === 'refused' ? `refused: ${answer.reason}` : answer.kind;
  }

  async #overdue(): Promise<string> {
    const { database } = this.#fixture.service;
    const { orderId } = this.#model;
    const { log, lines } = memoryLog('error');
    await this.#fixture.overdue(orderId);
    const done = async (): Promise<boolean> => {
      // Begun and closed at once it scans once.
      await startClosing({ pool: database, relay: NOBODY_SENDS, payments: NO_PAYMENTS, graceSeconds: 0, log }).close();
      const { rowCount } = await database.query(
        `select from orders
         where order_id = $1 and status = 'PENDING_PAYMENT' and closing is null and close_at <= now()`,
        [orderId],
      );
      return rowCount === 0;
    };
    const what = `order ${orderId} to be closed or taken, now that it is overdue`;
    await waitFor(done, { what, deadlineMs: DEADLINE_MS, everyMs: LOOK_EVERY_MS });
    return lines.length === 0 ? 'scanned' : JSON.stringify(lines);
  }

  /** Each is tried, and then decided by what it was answered. */
  async #replayed(): Promise<string> {
    const said = await Promise.all(
      (await this.#asCreatedAgain()).map(async (row) => {
        const steps = this.#fixture.created(row);
        const tried = await steps.try();
        const ended = await (tried.status === 200 ? steps.confirm() : steps.cancel());
        return `${row.transaction}: ${branchAnswer(tried)}, ${branchAnswer(ended)}`;
      }),
    );
    return said.toSorted().join('; ');
  }

  /** What `creations again` makes due, taken back before the running service sees it: the coordinator played here creates it. */
  async #asCreatedAgain(): Promise<readonly EndedRow[]> {
    const { orderId } = this.#model;
    const client = await this.#fixture.service.database.connect();
    try {
      await client.query('begin');
      await makeDueAgain(client, { since: undefined, flow: undefined, orderIds: [orderId] }, 1_000);
      const { rows } = await client.query<EndedRow>(
        `select transaction, flow, payload, payload ->> 'cause' as cause
         from ended_creation
         where order_id = $1 and due_at is not null`,
        [orderId],
      );
      return rows.filter(({ transaction, cause }) => isAsBegun(transaction, cause));
    } finally {
      await client.query('rollback');
      client.release();
    }
  }

  async #reprieve(): Promise<string> {
    const { database } = this.#fixture.service;
    await database.query(`update orders set close_at = now() + interval '1 hour' where order_id = $1`, [
      this.#model.orderId,
    ]);
    return 'reprieved';
  }

  async #look(): Promise<Seen> {
    const { orderId, namespace } = this.#model;
    const transactions = [...this.#payments, ...this.#foreigners()].map(({ transaction }) => transaction);
    const ids = this.#messages().map(({ id }) => id);
    const values = [orderId, transactions, `${namespace}/close-${orderId}-%`, ids];
    const { rows } = await this.#fixture.service.database.query<Omit<Seen, 'orderId' | 'namespace'>>(ALL_OF_IT, values);
    const [row] = rows;
    if (row === undefined) throw new Error(`order ${orderId} is gone`);
    return { orderId, namespace, ...row };
  }
}

/** In one statement, so that all of it is of one moment: the service's own scanner never rests. */
const ALL_OF_IT = `
  select
    status,
    held_by as "heldBy",
    payment_id as "paymentId",
    closes,
    closing,
    withdrawn,
    close_at <= now() as due,
    (
      select json_agg(json_build_array(status, reason) order by step)
      from order_history
      where order_history.order_id = orders.order_id
    ) as history,
    (
      select coalesce(json_object_agg(transaction, json_build_object('state', state, 'refusal', refusal)), '{}')
      from ordertx_fence
      where transaction = any($2) or transaction like $3
    ) as branches,
    (
      select coalesce(json_object_agg(transaction, payload ->> 'cause'), '{}')
      from creation
      where creation.order_id = orders.order_id
    ) as creations,
    (
      select coalesce(json_object_agg(transaction, payload ->> 'cause'), '{}')
      from ended_creation
      where ended_creation.order_id = orders.order_id
    ) as ended,
    (select coalesce(json_agg(id), '[]') from ordertx_inbox where id = any($4)) as handled
  from orders
  where order_id = $1`;

const NOBODY_SENDS = { nudge: () => undefined };
const NO_PAYMENTS: Pick<PaymentLookup, 'ofOrders'> = { ofOrders: async () => ({ kind: 'found', payments: [] }) };
/** The payment service, which says that it has captured what its message says. */
const confirming = ({ paymentId, amountCents }: Payment, orderId: string): Pick<PaymentLookup, 'ofOrders'> => ({
  ofOrders: async () => ({
    kind: 'found',
    payments: [{ paymentId, orderId, status: 'SUCCEEDED', capturedCents: amountCents }],
  }),
});

function branchAnswer({ status, state, code, detail }: BranchAnswer): string {
  const refusal = code === undefined ? '' : ` ${code}`;
  return `${status} ${String(state)}${refusal}${code === 'refused' ? `: ${String(detail)}` : ''}`;
}

function customerAnswer({ status, body }: Awaited<ReturnType<OrderFixture['post']>>): string {
  const words = status < 300 ? [body.status, body.transaction] : [body.code, body.orderStatus];
  return [String(status), ...words.filter((word) => typeof word === 'string')].join(' ');
}

function storyOf(before: OrderModel, happened: readonly Happened[], seen: Seen): string {
  const steps = happened.map(({ step, answer }) => `  ${JSON.stringify(step)}: ${answer}`);
  return [`before: ${JSON.stringify(before)}`, ...steps, `after: ${JSON.stringify(seen)}`].join('\n');
}
