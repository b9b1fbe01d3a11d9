/**
 * A running order service, and its orders as the controller, the customers and the other services see them.
 *
 * Orders are placed by their create-order branch alone, so that nothing of them lies in the creation outbox but what a test begins.
 * Every step is a real call; only how long ago an order was placed is set in the database.
 */
import { Redis } from 'ioredis';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { connect } from '../../../local/control-plane/api.ts';
import { waitFor } from '../../../local/deadline.ts';
import { callBranch, type BranchAnswer } from '../../../tests/services/call-branch.ts';
import { orderView, TEAPOTS } from '../../../tests/services/order-client.ts';
import { runOrder, type RunningTestService } from '../../../tests/services/running.ts';
import { freshNamespace, freshRedis, world } from '../../../tests/world/world.ts';
import {
  MESSAGE_FIELD,
  messagesStream,
  RECEIPT_FIELD,
  receiptSchema,
  receiptsStream,
  type Operation,
  type PayOrderPayload,
  type Receipt,
} from '../../protocol/src/index.ts';
import type { OrderStatus } from '../src/orders.ts';
import { startPayments, type LoopbackPayments } from './loopback-payments.ts';

/** What an order of the fixture costs. */
export const TOTAL_CENTS = 2_500;
export const DEADLINE_MS = 20_000;
const LOOK_EVERY_MS = 10;
const STREAM = messagesStream('order');

interface Words {
  readonly reason?: string;
  readonly detail?: string;
}

/** One transaction's branch. */
export interface Steps {
  /** `<namespace>/<name>`. */
  readonly transaction: string;
  readonly try: () => Promise<BranchAnswer>;
  readonly confirm: () => Promise<BranchAnswer>;
  readonly cancel: (words?: Words) => Promise<BranchAnswer>;
}

export interface PaymentSteps extends Steps {
  readonly paymentId: string;
}

export interface FixtureOptions {
  readonly paymentTimeoutSeconds?: number;
  readonly paymentGraceSeconds?: number;
  /** Default: a fresh one. */
  readonly namespace?: string;
  /** One that is there already, and outlives the fixture; default: a fresh one. */
  readonly databaseUrl?: string;
  /** Default: the world's own administrator. */
  readonly kubeconfig?: string;
}

export interface OrderRow {
  readonly status: string;
  readonly held_by: string | null;
  readonly payment_id: string | null;
  readonly closes: number;
  readonly closing: string | null;
  readonly withdrawn: boolean;
  readonly close_at: Date | null;
}

export interface CreationRow {
  readonly transaction: string;
  readonly flow: string;
  readonly payload: unknown;
  readonly awaited: boolean;
}

export interface Sent {
  readonly type: string;
  readonly data: { readonly orderId: string } & Readonly<Record<string, unknown>>;
  readonly id: string;
  readonly traceparent?: string;
}

export class OrderFixture {
  readonly namespace: string;
  readonly redisUrl: string;
  readonly service: RunningTestService;
  /** The payment service that it asks. */
  readonly payments: LoopbackPayments;
  readonly #redis: Redis;
  readonly #api: ReturnType<typeof connect>;
  readonly #replicas: RunningTestService[] = [];
  #orders = 0;
  #payments = 0;
  #publications = 0;

  private constructor(service: RunningTestService, payments: LoopbackPayments, namespace: string, redisUrl: string) {
    const { apiServerUrl, token, certificate } = world();
    this.service = service;
    this.payments = payments;
    this.namespace = namespace;
    this.redisUrl = redisUrl;
    this.#redis = new Redis(redisUrl);
    this.#api = connect({ url: apiServerUrl, token, certificate });
  }

  static async open(name: string, options: FixtureOptions = {}): Promise<OrderFixture> {
    const { namespace = await freshNamespace(name), ...others } = options;
    const redisUrl = await freshRedis();
    const payments = await startPayments();
    const paymentUrl = payments.url;
    const service = await runOrder({ kubeconfig: world().kubeconfig, namespace, redisUrl, paymentUrl, ...others });
    return new OrderFixture(service, payments, namespace, redisUrl);
  }

  /** Another replica on the same database and the same Redis; closed with the fixture. */
  async replica(): Promise<RunningTestService> {
    const { namespace, redisUrl } = this;
    const { databaseUrl } = this.service;
    const paymentUrl = this.payments.url;
    const replica = await runOrder({ kubeconfig: world().kubeconfig, namespace, redisUrl, databaseUrl, paymentUrl });
    this.#replicas.push(replica);
    return replica;
  }

  async close(): Promise<void> {
    for (const replica of this.#replicas) await replica.close();
    await this.service.close();
    await this.payments.stop();
    this.#redis.disconnect();
    await this.#api.close();
  }

  newId(): string {
    return `o${String(++this.#orders)}`;
  }

  creation(orderId: string, transaction = `${this.namespace}/create-${orderId}`): Steps {
    return this.#steps('/tcc/create-order', transaction, { orderId, ...TEAPOTS, totalCents: TOTAL_CENTS });
  }

  /** Another payment each time, of what the order costs; whoever asks for just this one is told that it was captured. */
  payment(
    orderId: string,
    choice: Partial<Pick<PayOrderPayload, 'paymentId' | 'userId' | 'amountCents'>> & {
      readonly transaction?: string;
    } = {},
  ): PaymentSteps {
    const { paymentId = `p${String(++this.#payments)}`, amountCents = TOTAL_CENTS } = choice;
    const { transaction = `${this.namespace}/pay-${paymentId}`, userId = TEAPOTS.userId } = choice;
    const payload = { orderId, ...TEAPOTS, userId, totalCents: TOTAL_CENTS, paymentId, amountCents };
    this.payments.vouch({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: amountCents });
    return { paymentId, ...this.#steps('/tcc/pay-order', transaction, payload) };
  }

  closing(orderId: string, number: number, cause = 'unpaid'): Steps {
    return this.closingNamed(`close-${orderId}-${String(number)}`, orderId, cause);
  }

  /** The order's next close, begun in its row as the scanner does it, but without a creation. No close of it may be under way. */
  async beginClose(orderId: string, cause = 'unpaid'): Promise<Steps> {
    const { rows } = await this.service.database.query<{ readonly closes: number }>(
      `update orders set closes = closes + 1, closing = $2 || '/close-' || order_id || '-' || closes + 1
       where order_id = $1 and closing is null
       returning closes`,
      [orderId, this.namespace],
    );
    if (rows[0] === undefined) throw new Error(`a close of order ${orderId} is under way already`);
    return this.closing(orderId, rows[0].closes, cause);
  }

  closingNamed(name: string, orderId: string, cause = 'unpaid', namespace = this.namespace): Steps {
    return this.#steps('/tcc/close-order', `${namespace}/${name}`, { orderId, lines: TEAPOTS.lines, cause });
  }

  /** A transaction as the creation's row has it. */
  created({ transaction, flow, payload }: Pick<CreationRow, 'transaction' | 'flow' | 'payload'>): Steps {
    return this.#steps(`/tcc/${flow}`, transaction, payload);
  }

  #steps(path: string, transaction: string, payload: unknown): Steps {
    const call = (operation: Operation, words?: Words) =>
      callBranch({ ...{ url: this.service.url, path, branch: 'order', transaction, operation, payload }, ...words });
    return { transaction, ...stepsOf(call) };
  }

  /** An order that waits for its payment. */
  async placed(): Promise<string> {
    const orderId = this.newId();
    await done(this.creation(orderId), 'try', 'confirm');
    return orderId;
  }

  async paid(): Promise<{ readonly orderId: string; readonly payment: PaymentSteps }> {
    const orderId = await this.placed();
    const payment = this.payment(orderId);
    await done(payment, 'try', 'confirm');
    return { orderId, payment };
  }

  /** Takes a paid order so far on its way. */
  async sent(orderId: string, until: 'SHIPPED' | 'RECEIVED'): Promise<void> {
    const receipt = await this.deliver({ type: 'wms.shipped', data: { orderId }, id: `wms/wms.shipped/${orderId}` });
    if (receipt?.result !== 'delivered') throw new Error(`order ${orderId} could not be shipped`);
    if (until === 'RECEIVED') await this.post(`/orders/${orderId}/receipt`);
  }

  /** An order of this status; whatever has brought it there is done by transactions of its own. */
  async orderIn(status: OrderStatus): Promise<string> {
    switch (status) {
      case 'INIT': {
        const orderId = this.newId();
        await done(this.creation(orderId), 'try');
        return orderId;
      }
      case 'PENDING_PAYMENT':
        return this.placed();
      case 'PAYING': {
        const orderId = await this.placed();
        await done(this.payment(orderId), 'try');
        return orderId;
      }
      case 'CLOSING': {
        const orderId = await this.placed();
        await done(await this.beginClose(orderId), 'try');
        return orderId;
      }
      case 'PAID':
        return (await this.paid()).orderId;
      case 'SHIPPED':
      case 'RECEIVED': {
        const { orderId } = await this.paid();
        await this.sent(orderId, status);
        return orderId;
      }
      case 'CLOSED':
        return (await this.closed()).orderId;
      case 'CANCELLED': {
        const orderId = this.newId();
        await done(this.creation(orderId), 'try', 'cancel');
        return orderId;
      }
    }
  }

  async closed(): Promise<{ readonly orderId: string; readonly closing: Steps }> {
    const orderId = await this.placed();
    const closing = await this.beginClose(orderId);
    await done(closing, 'try', 'confirm');
    return { orderId, closing };
  }

  async status(orderId: string): Promise<string | undefined> {
    return (await orderView(this.service.url, orderId))?.status;
  }

  /** Every status it had, with the reason if there is one. */
  async history(orderId: string): Promise<readonly (readonly string[])[]> {
    const view = await orderView(this.service.url, orderId);
    return (view?.history ?? []).map(({ status, reason }) => (reason === null ? [status] : [status, reason]));
  }

  async row(orderId: string): Promise<OrderRow> {
    const { rows } = await this.service.database.query<OrderRow>(
      'select status, held_by, payment_id, closes, closing, withdrawn, close_at from orders where order_id = $1',
      [orderId],
    );
    if (rows[0] === undefined) throw new Error(`order ${orderId} has no row`);
    return rows[0];
  }

  /** All that may change about an order, to be compared with what it is later. */
  async seen(orderId: string) {
    return { row: await this.row(orderId), history: await this.history(orderId) };
  }

  /** From now on; negative when it has passed. */
  async closeInSeconds(orderId: string): Promise<number | undefined> {
    const { rows } = await this.service.database.query<{ readonly seconds: number }>(
      'select extract(epoch from close_at - now())::float8 as seconds from orders where order_id = $1',
      [orderId],
    );
    return rows[0]?.seconds;
  }

  /** What is in the creation outbox for this order, the oldest first. */
  async outbox(orderId: string): Promise<readonly CreationRow[]> {
    const { rows } = await this.service.database.query<CreationRow>(
      'select transaction, flow, payload, awaited from creation where order_id = $1 order by created_at',
      [orderId],
    );
    return rows;
  }

  /** The row of this creation in the outbox, once it is there. */
  begun(orderId: string, transaction: string): Promise<CreationRow> {
    return waitFor(async () => (await this.outbox(orderId)).find((row) => row.transaction === transaction), {
      ...{ what: `the creation of ${transaction} to be begun`, deadlineMs: DEADLINE_MS, everyMs: LOOK_EVERY_MS },
    });
  }

  /** The state in the fence; undefined when it has no row. */
  async fenceState(transaction: string): Promise<string | undefined> {
    const { rows } = await this.service.database.query<{ readonly state: string }>(
      'select state from ordertx_fence where transaction = $1',
      [transaction],
    );
    return rows[0]?.state;
  }

  /** As the fence's cleaning does it in the end. */
  async forget({ transaction }: Steps): Promise<void> {
    const { rowCount } = await this.service.database.query('delete from ordertx_fence where transaction = $1', [
      transaction,
    ]);
    if (rowCount !== 1) throw new Error(`the fence has no row of ${transaction}`);
  }

  /** From now on the order's time to pay is over. */
  async overdue(orderId: string): Promise<void> {
    await this.service.database.query(`update orders set close_at = now() - interval '1 second' where order_id = $1`, [
      orderId,
    ]);
  }

  /** By its name in the API server; undefined when it is not there. */
  async transaction(name: string): Promise<OrderTransaction | undefined> {
    const { status, body } = await this.#api.request('GET', `${this.#path}/${name}`);
    return status === 200 ? (body as OrderTransaction) : undefined;
  }

  transactionSoon(name: string): Promise<OrderTransaction> {
    return waitFor(() => this.transaction(name), { what: `transaction ${name}`, deadlineMs: DEADLINE_MS });
  }

  /** All that the API server has in this namespace. */
  async transactionNames(): Promise<readonly string[]> {
    const { body } = await this.#api.request('GET', this.#path);
    return (body as { readonly items: readonly OrderTransaction[] }).items.map(({ metadata }) => metadata.name ?? '');
  }

  get #path(): string {
    return `/apis/ordertx.dev/v1alpha1/namespaces/${this.namespace}/ordertransactions`;
  }

  /**
   * Publishes a message once, as another service's relay does, and resolves with the receipt of just this publication; undefined
   * when the message was taken off the stream without one.
   */
  async deliver({ type, data, id, traceparent }: Sent): Promise<Receipt | undefined> {
    const replyto = receiptsStream(`test-${String(++this.#publications)}`);
    const event = {
      ...{
        specversion: '1.0',
        id,
        source: `ordertx/${id.split('/')[0] ?? ''}`,
        type,
        subject: data.orderId,
        replyto,
        attempt: 1,
        data,
      },
      ...(traceparent !== undefined && { traceparent }),
    };
    const entry = await this.#redis.xadd(STREAM, '*', MESSAGE_FIELD, JSON.stringify(event));
    if (entry === null) throw new Error('nothing was added to the stream');
    // The receipt is sent and the entry taken off at once.
    await waitFor(async () => (await this.#redis.xrange(STREAM, entry, entry)).length === 0, {
      ...{ what: `${id} to be taken off the stream`, deadlineMs: DEADLINE_MS, everyMs: LOOK_EVERY_MS },
    });
    const [first] = await this.#redis.xrange(replyto, '-', '+');
    if (first === undefined) return undefined;
    const [, fields] = first;
    return receiptSchema.parse(JSON.parse(fields[fields.indexOf(RECEIPT_FIELD) + 1] ?? ''));
  }

  /** The payment service has captured it, and tells of it by its message. */
  async announce(
    orderId: string,
    { paymentId, amountCents = TOTAL_CENTS }: { readonly paymentId: string; readonly amountCents?: number },
    more: Partial<Sent> = {},
  ): Promise<Receipt | undefined> {
    this.payments.know({ paymentId, orderId, status: 'SUCCEEDED', capturedCents: amountCents });
    const data = { paymentId, orderId, amountCents };
    return this.deliver({
      ...{ type: 'payment.succeeded', data, id: `payment/payment.succeeded/${paymentId}`, ...more },
    });
  }

  /** As the inbox's cleaning does it in the end. */
  async forgetMessage(id: string): Promise<void> {
    const { rowCount } = await this.service.database.query('delete from ordertx_inbox where id = $1', [id]);
    if (rowCount !== 1) throw new Error(`the inbox has no row of ${id}`);
  }

  async post(path: string, headers: Readonly<Record<string, string>> = {}, to = this.service.url) {
    const answer = await fetch(to + path, { method: 'POST', headers });
    return {
      status: answer.status,
      type: answer.headers.get('content-type')?.split(';')[0],
      body: (await answer.json()) as Readonly<Record<string, unknown>>,
    };
  }
}

function stepsOf(call: (operation: Operation, words?: Words) => Promise<BranchAnswer>): Omit<Steps, 'transaction'> {
  return {
    try: () => call('try'),
    confirm: () => call('confirm'),
    cancel: (words) => call('cancel', words),
  };
}

/** Makes these calls in turn; each must be answered 200. */
export async function done(steps: Steps, ...operations: readonly Operation[]): Promise<void> {
  for (const operation of operations) {
    const { status, detail = '' } = await steps[operation]();
    if (status !== 200)
      throw new Error(`${operation} of ${steps.transaction} was answered ${String(status)}: ${detail}`);
  }
}
