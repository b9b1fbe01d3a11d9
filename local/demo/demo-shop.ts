/**
 * What a scenario of the demo runs on: the running system, seen as a customer, as an operator with kubectl, and as the one
 * who pulls plugs. Everything it prints besides the narration is real output.
 */
import { randomUUID } from 'node:crypto';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { kubectl } from '../cluster.ts';
import { waitFor } from '../deadline.ts';
import type { ServiceName } from '../services.ts';
import type { Stack } from '../stack.ts';

export type OrderLine = { readonly skuId: string; readonly quantity: number; readonly unitPriceCents: number };

export type PlacedOrder = { readonly orderId: string; readonly transaction: string };

const PATIENCE_MS = 60_000;
const CUSTOMER_WAITS_SECONDS = 20;
const CUSTOMER = 'ann';
const INDENT = '    ';
const COLUMNS_MAX = 100;

export class DemoShop {
  readonly #stack: Stack;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** A paragraph of narration. */
  tell(text: string): void {
    console.log(`\n${wrapped(text)}`);
  }

  /** Runs kubectl and prints command and output as a terminal would show them. */
  async kubectl(...args: readonly string[]): Promise<void> {
    const output = await kubectl(this.#stack.cluster, ...args);
    this.#quote(`$ kubectl ${args.join(' ')}\n${output}`);
  }

  async stock(skuId: string, stocked: number): Promise<void> {
    await this.#call('PUT', 'inventory', `/stock/${skuId}`, { stocked });
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
    await this.#call('POST', 'wms', `/shipments/${orderId}/ship`);
  }

  async receive(orderId: string): Promise<void> {
    await this.#call('POST', 'order', `/orders/${orderId}/receipt`);
  }

  /** Waits, in silence, until an order, a payment, a shipment or a dispatch says so of itself. */
  async says(service: ServiceName, path: string, field: 'status' | 'state', value: string): Promise<void> {
    await waitFor(
      async () => {
        const answer = await fetch(`${this.#stack.business.services[service].url}${path}`);
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
    const path = `/apis/ordertx.dev/v1alpha1/namespaces/default/ordertransactions/${name}`;
    await waitFor(
      async () => {
        const { status, body } = await this.#stack.cluster.admin.request('GET', path);
        return status === 200 && is(body as OrderTransaction);
      },
      { what: `transaction ${name} ${what}`, deadlineMs: PATIENCE_MS },
    );
  }

  /** kill -9. */
  async kill(service: ServiceName): Promise<void> {
    const { process } = this.#stack.business.services[service].part;
    process.kill('SIGKILL');
    await process.exited;
    this.#quote(`$ kill -9 ${process.pid}          # the ${service} service`);
  }

  async bringBack(service: ServiceName): Promise<void> {
    const { part } = this.#stack.business.services[service];
    await part.restart();
    this.#quote(`# the ${service} service is back as process ${part.process.pid}`);
  }

  async #call(
    method: string,
    service: ServiceName,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<unknown> {
    const answer = await fetch(`${this.#stack.business.services[service].url}${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const said = await answer.json();
    const question = body === undefined ? '' : `\n${JSON.stringify(body)}`;
    this.#quote(`${method} ${service}${path}${question}\n=> ${answer.status}  ${JSON.stringify(said)}`);
    return said;
  }

  #quote(text: string): void {
    console.log(`\n${text.trimEnd().replaceAll(/^/gm, INDENT)}`);
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
