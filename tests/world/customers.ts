/**
 * What customers, the payment provider and the warehouse do in a shop, each as one HTTP call; and the same again and again until
 * it is answered, as people do while services are down.
 */
import { randomUUID } from 'node:crypto';
import { waitFor } from '../../local/deadline.ts';
import type { ServiceName } from '../../local/services.ts';
import type { Line, Shop } from './shop.ts';

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const CALL_MS = 15_000;
const PATIENCE_MS = 120_000;

export class Customers {
  readonly #shop: Pick<Shop, 'services' | 'violations'>;

  constructor(shop: Pick<Shop, 'services' | 'violations'>) {
    this.#shop = shop;
  }

  async call(
    service: ServiceName,
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const running = this.#shop.services[service];
    if (running === undefined) throw new Error(`the shop has no ${service} service`);
    const answer = await fetch(running.url + path, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(CALL_MS),
    });
    return { status: answer.status, body: (await answer.json()) as Answer['body'] };
  }

  /** Repeats until the answer is no 5xx (the service is there), and `isOver` takes it. */
  async insist(
    what: string,
    call: () => Promise<Answer>,
    isOver: (answer: Answer) => boolean = () => true,
  ): Promise<Answer> {
    let last: Answer | undefined;
    return waitFor(
      async () => {
        last = await call();
        return last.status < 500 && isOver(last) ? last : undefined;
      },
      { what, deadlineMs: PATIENCE_MS, everyMs: 200 },
    ).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; it was last answered ${JSON.stringify(last)}`, { cause: error });
    });
  }

  /** Places an order, however long that takes; its id once it is stored. */
  async order(lines: readonly Line[], userId = 'u1'): Promise<string> {
    const headers = { 'idempotency-key': randomUUID() };
    const placed = await this.insist('an order to be accepted', () =>
      this.call('order', 'POST', '/orders', { userId, lines }, headers),
    );
    return String(placed.body.orderId);
  }

  async status(orderId: string): Promise<string> {
    return String((await this.call('order', 'GET', `/orders/${orderId}`)).body.status);
  }

  /** Waits until the order has one of these statuses. */
  async statusIs(orderId: string, ...statuses: readonly string[]): Promise<string> {
    const { body } = await this.insist(
      `order ${orderId} to be ${statuses.join(' or ')}`,
      () => this.call('order', 'GET', `/orders/${orderId}`),
      (answer) => statuses.includes(String(answer.body.status)),
    );
    return String(body.status);
  }

  /** An order that waits for its payment. */
  async orderToPay(lines: readonly Line[], userId?: string): Promise<string> {
    const orderId = await this.order(lines, userId);
    await this.statusIs(orderId, 'PENDING_PAYMENT');
    return orderId;
  }

  /** Asks for a payment link, another one each time; undefined when the order can't be paid (any more). */
  async paymentLink(orderId: string): Promise<string | undefined> {
    const key = { 'idempotency-key': randomUUID() };
    const { status, body } = await this.insist('a payment link', () =>
      this.call('payment', 'POST', '/payments', { orderId }, key),
    );
    return status === 201 ? String(body.paymentId) : undefined;
  }

  /** The payment provider says that it has captured the amount; it repeats that until it is heard. */
  async capture(paymentId: string, amountCents?: number): Promise<Answer> {
    return this.insist(`payment ${paymentId} to be captured`, () =>
      this.call('payment', 'POST', `/payments/${paymentId}/pay`, amountCents === undefined ? {} : { amountCents }),
    );
  }

  async paymentIs(paymentId: string, status: string): Promise<void> {
    await this.insist(
      `payment ${paymentId} to be ${status}`,
      () => this.call('payment', 'GET', `/payments/${paymentId}`),
      (answer) => answer.body.status === status,
    );
  }

  /** Pays and waits until the order says so. */
  async pay(orderId: string): Promise<string> {
    const paymentId = await this.paymentLink(orderId);
    if (paymentId === undefined) throw new Error(`order ${orderId} cannot be paid`);
    await this.capture(paymentId);
    await this.statusIs(orderId, 'PAID');
    return paymentId;
  }

  /** Waits until a notice of the order is sent: no transaction's end waits for that. */
  async isTold(orderId: string): Promise<void> {
    await this.insist(
      `the customer to be told of order ${orderId}`,
      () => this.call('notification', 'GET', `/notifications?orderId=${orderId}`),
      ({ body }) => (body as unknown as readonly { readonly status: string }[]).some(({ status }) => status === 'SENT'),
    );
  }

  withdraw(orderId: string, waitSeconds?: number): Promise<Answer> {
    const headers: Record<string, string> = waitSeconds === undefined ? {} : { prefer: `wait=${waitSeconds}` };
    return this.call('order', 'POST', `/orders/${orderId}/withdraw`, undefined, headers);
  }

  ship(orderId: string): Promise<Answer> {
    return this.call('wms', 'POST', `/shipments/${orderId}/ship`);
  }

  receive(orderId: string): Promise<Answer> {
    return this.call('order', 'POST', `/orders/${orderId}/receipt`);
  }

  /** Waits until every invariant holds, "everything has come to rest" among them. */
  async atRest(deadlineMs = PATIENCE_MS): Promise<void> {
    let last: readonly { readonly invariant: string; readonly says: string }[] = [];
    await waitFor(
      async () => {
        last = await this.#shop.violations();
        return last.length === 0;
      },
      { what: 'the shop to be at rest with every invariant kept', deadlineMs, everyMs: 250 },
    ).catch((error: unknown) => {
      const broken = last.slice(0, 20).map(({ invariant, says }) => `${invariant}: ${says}`);
      throw new Error(`${(error as Error).message}; broken:\n${broken.join('\n')}`, { cause: error });
    });
  }
}
