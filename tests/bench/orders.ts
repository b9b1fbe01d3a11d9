/**
 * The system under load: customers who place an order and wait for its end.
 *
 * Orders spread over a catalogue, because the queue at one popular SKU's row is Postgres's and would hide everything else.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';
import { waitFor } from '../../local/deadline.ts';
import type { ServiceName } from '../../local/services.ts';
import { sumOf } from '../world/prometheus-text.ts';

const SKUS = 200;
const STOCKED = 10_000_000;
const WAIT_SECONDS = 30;
const ALL_ENDED_MS = 60_000;
const POINTS_MS = 30_000;
/** Adds half of it to a chain's time on average. */
const LOOK_EVERY_MS = 5;

/** Where the customers, and those who count their orders' ends, find it. */
export interface Shop {
  readonly description: () => {
    readonly controllers: readonly { readonly url: string }[];
    readonly services: Readonly<Record<ServiceName, { readonly url: string }>>;
  };
}

export interface Customers {
  /** Places one order and resolves with its transaction's name once it is PENDING_PAYMENT; rejects if it comes to anything else. */
  order(): Promise<string>;
  /** Places an order, pays it and waits until its points are granted: the whole chain but for the shipping. */
  chain(): Promise<void>;
  /** Resolves once the controllers have brought so many transactions to their end, counted from their start. */
  ended(transactions: number): Promise<void>;
  /** How many they have. */
  endedSoFar(): Promise<number>;
  close(): Promise<void>;
}

export async function openCustomers({ description }: Shop): Promise<Customers> {
  const agent = new Agent({ pipelining: 1 });
  const { order, inventory, payment, member } = description().services;
  const send = async (
    method: 'GET' | 'POST' | 'PUT',
    url: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) => {
    const answer = await request(url, {
      ...{ method, dispatcher: agent, ...(body !== undefined && { body: JSON.stringify(body) }) },
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  for (let sku = 0; sku < SKUS; sku += 1) {
    const { status, text } = await send('PUT', `${inventory.url}/stock/sku-${sku}`, { stocked: STOCKED });
    if (status >= 300) throw new Error(`sku-${sku} could not be stocked (${status}): ${text}`);
  }

  const json = async (what: string, expected: number, answer: ReturnType<typeof send>) => {
    const { status, text } = await answer;
    if (status !== expected) throw new Error(`${what} was answered ${status}: ${text}`);
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  };

  let count = 0;
  const placeOrder = (userId: string) => {
    count += 1;
    const lines = [count, count + SKUS / 2].map((number, index) => ({
      skuId: `sku-${number % SKUS}`,
      quantity: 1 + index,
      unitPriceCents: 450,
    }));
    const headers = { 'idempotency-key': randomUUID(), prefer: `wait=${WAIT_SECONDS}` };
    return json('POST /orders', 201, send('POST', `${order.url}/orders`, { userId, lines }, headers));
  };
  const endedSoFar = async () => {
    const pages = description().controllers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text());
    const sums = (await Promise.all(pages)).map((page) => sumOf(page, 'ordertx_transactions_finished_total'));
    return sums.reduce((sum, each) => sum + each, 0);
  };
  return {
    async order() {
      const { transaction } = await placeOrder(`u${(count + 1) % 1000}`);
      return String(transaction);
    },
    async chain() {
      const userId = `chain-${randomUUID()}`;
      const { orderId } = await placeOrder(userId);
      const { paymentId } = await json('POST /payments', 201, send('POST', `${payment.url}/payments`, { orderId }));
      await json('paying', 200, send('POST', `${payment.url}/payments/${String(paymentId)}/pay`, {}));
      await waitFor(
        async () => {
          const { status, text } = await send('GET', `${member.url}/members/${userId}`);
          return status === 200 && (JSON.parse(text) as { readonly points: number }).points > 0;
        },
        { what: `points for ${userId}`, deadlineMs: POINTS_MS, everyMs: LOOK_EVERY_MS },
      );
    },
    async ended(transactions) {
      await waitFor(async () => (await endedSoFar()) >= transactions, {
        what: 'every transaction to be ended',
        deadlineMs: ALL_ENDED_MS,
      });
    },
    endedSoFar,
    close: () => agent.destroy(),
  };
}
