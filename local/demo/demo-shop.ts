/**
 * What a scenario of the demo runs on: a running system wherever it is, seen as a customer, as an operator with kubectl, and, where it
 * is processes on this machine, as the one who pulls plugs. Everything it prints besides the narration is real output.
 */
import { randomUUID } from 'node:crypto';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { kubectl } from '../cluster.ts';
import { waitFor } from '../deadline.ts';
import type { ServiceName } from '../services.ts';
import type { Stack } from '../stack.ts';

/** Where the system is. */
export type Place = {
  /** Of a service's public routes; `operators`: of those that are served apart from them where ADMIN_PORT is set. */
  readonly urlOf: (service: ServiceName, side: 'public' | 'operators') => string;
  /** What it printed, in the namespace of the transactions. */
  readonly kubectl: (...args: readonly string[]) => Promise<string>;
  readonly transaction: (name: string) => Promise<OrderTransaction | undefined>;
};

export type OrderLine = { readonly skuId: string; readonly quantity: number; readonly unitPriceCents: number };

export type PlacedOrder = { readonly orderId: string; readonly transaction: string };

const PATIENCE_MS = 60_000;
const CUSTOMER_WAITS_SECONDS = 20;
const CUSTOMER = 'ann';
const INDENT = '    ';
const COLUMNS_MAX = 100;

export class Shop {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  /** A paragraph of narration. */
  tell(text: string): void {
    console.log(`\n${wrapped(text)}`);
  }

  /** Runs kubectl and prints command and output as a terminal would show them. */
  async kubectl(...args: readonly string[]): Promise<void> {
    const output = await this.#place.kubectl(...args);
    this.quote(`$ kubectl ${args.join(' ')}\n${output}`);
  }

  /** So many are for sale from now on, beside what is frozen and what was sold before. */
  async stock(skuId: string, sellable: number): Promise<void> {
    const answer = await fetch(`${this.#place.urlOf('inventory', 'public')}/stock/${skuId}`);
    const { frozen = 0, sold = 0 } = (await answer.json()) as { readonly frozen?: number; readonly sold?: number };
    await this.#call('PUT', 'inventory', `/stock/${skuId}`, { stocked: sellable + frozen + sold }, {}, 'operators');
  }

  async showStock(skuId: string): Promise<void> {
    await this.#call('GET', 'inventory', `/stock/${skuId}`);
  }

  async showOrder(orderId: string): Promise<void> {
    await this.#call('GET', 'order', `/orders/${orderId}`);
  }

  /** What the services that follow by messages say of an order and its customer. */
  async showFollowers(orderId: string): Promise<void> {
    await this.#call('GET', 'dispatch', `/dispatches/${orderId}`);
    await this.#call('GET', 'wms', `/shipments/${orderId}`);
    await this.#call('GET', 'member', `/members/${CUSTOMER}`);
    await this.#call('GET', 'notification', `/notifications?orderId=${orderId}`);
  }

  /** The payment's id. */
  async askForPayment(orderId: string): Promise<string> {
    return ((await this.#call('POST', 'payment', '/payments', { orderId })) as { paymentId: string }).paymentId;
  }

  /** The payment provider says that it has captured what was asked. */
  async capture(paymentId: string): Promise<void> {
    await this.#call('POST', 'payment', `/payments/${paymentId}/pay`, {});
  }

  async showPayment(paymentId: string): Promise<void> {
    await this.#call('GET', 'payment', `/payments/${paymentId}`);
  }

  async ship(orderId: string): Promise<void> {
    await this.#call('POST', 'wms', `/shipments/${orderId}/ship`, undefined, {}, 'operators');
  }

  async receive(orderId: string): Promise<void> {
    await this.#call('POST', 'order', `/orders/${orderId}/receipt`);
  }

  /** Waits, in silence, until an order, a payment, a shipment or a dispatch says so of itself. */
  async says(service: ServiceName, path: string, field: 'status' | 'state', value: string): Promise<void> {
    await waitFor(
      async () => {
        const answer = await fetch(`${this.#place.urlOf(service, 'public')}${path}`);
        return ((await answer.json()) as Record<string, unknown>)[field] === value;
      },
      { what: `${service}${path} to say ${value}`, deadlineMs: PATIENCE_MS },
    );
  }

  /** Places an order; `patiently` waits for its outcome, as a shop's page would, else the answer is 202 at once. */
  async placeOrder(lines: readonly OrderLine[], patiently: boolean): Promise<PlacedOrder> {
    const headers = {
      'idempotency-key': randomUUID(),
      ...(patiently && { prefer: `wait=${CUSTOMER_WAITS_SECONDS}` }),
    };
    return (await this.#call('POST', 'order', '/orders', { userId: CUSTOMER, lines }, headers)) as PlacedOrder;
  }

  /** Waits until the stored transaction is as asked for. */
  async transactionIs(name: string, what: string, is: (transaction: OrderTransaction) => boolean): Promise<void> {
    await waitFor(
      async () => {
        const transaction = await this.#place.transaction(name);
        return transaction !== undefined && is(transaction);
      },
      { what: `transaction ${name} ${what}`, deadlineMs: PATIENCE_MS },
    );
  }

  async #call(
    method: string,
    service: ServiceName,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
    side: 'public' | 'operators' = 'public',
  ): Promise<unknown> {
    const answer = await fetch(`${this.#place.urlOf(service, side)}${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const said: unknown = await answer.json();
    const question = body === undefined ? '' : `\n${JSON.stringify(body)}`;
    this.quote(`${method} ${service}${path}${question}\n=> ${answer.status}  ${JSON.stringify(said)}`);
    return said;
  }

  protected quote(text: string): void {
    console.log(`\n${text.trimEnd().replaceAll(/^/gm, INDENT)}`);
  }
}

/** The system as processes on this machine. */
export class DemoShop extends Shop {
  readonly #stack: Stack;

  constructor(stack: Stack) {
    super({
      urlOf: (service) => stack.business.services[service].url,
      kubectl: (...args) => kubectl(stack.cluster, ...args),
      transaction: async (name) => {
        const path = `/apis/ordertx.dev/v1alpha1/namespaces/default/ordertransactions/${name}`;
        const { status, body } = await stack.cluster.admin.request('GET', path);
        return status === 200 ? (body as OrderTransaction) : undefined;
      },
    });
    this.#stack = stack;
  }

  /** kill -9. */
  async kill(service: ServiceName): Promise<void> {
    const { process } = this.#stack.business.services[service].part;
    process.kill('SIGKILL');
    await process.exited;
    this.quote(`$ kill -9 ${process.pid}          # the ${service} service`);
  }

  async bringBack(service: ServiceName): Promise<void> {
    const { part } = this.#stack.business.services[service];
    await part.restart();
    this.quote(`# the ${service} service is back as process ${part.process.pid}`);
  }
}

/** The text's words in lines of at most COLUMNS_MAX columns. */
function wrapped(text: string): string {
  const lines: string[] = [];
  for (const word of text.trim().split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= COLUMNS_MAX) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}
