/**
 * The system under load: customers who place an order and wait for its end.
 *
 * Orders spread over a catalogue, because the queue at one popular SKU's row is Postgres's and would hide everything else.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';
import { waitFor } from '../../local/deadline.ts';
import type { Stack } from '../../local/stack.ts';
import { sumOf } from '../world/prometheus-text.ts';

const SKUS = 200;
const STOCKED = 10_000_000;
const WAIT_SECONDS = 30;
const ALL_ENDED_MS = 60_000;

export interface Customers {
  /** Places one order and resolves with its transaction's name once it is PENDING_PAYMENT; rejects if it comes to anything else. */
  order(): Promise<string>;
  /** Resolves once the controllers have brought so many transactions to their end, counted from their start. */
  ended(transactions: number): Promise<void>;
  /** How many they have. */
  endedSoFar(): Promise<number>;
  close(): Promise<void>;
}

export async function openCustomers({ business }: Stack): Promise<Customers> {
  const agent = new Agent({ pipelining: 1 });
  const { order, inventory } = business.services;
  const send = async (method: 'POST' | 'PUT', url: string, body: unknown, headers: Record<string, string> = {}) => {
    const answer = await request(url, {
      ...{ method, dispatcher: agent, body: JSON.stringify(body) },
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  for (let sku = 0; sku < SKUS; sku += 1) {
    const { status, text } = await send('PUT', `${inventory.url}/stock/sku-${sku}`, { stocked: STOCKED });
    if (status >= 300) throw new Error(`sku-${sku} could not be stocked (${status}): ${text}`);
  }

  let count = 0;
  const endedSoFar = async () => {
    const pages = business.controllers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text());
    const sums = (await Promise.all(pages)).map((page) => sumOf(page, 'ordertx_transactions_finished_total'));
    return sums.reduce((sum, each) => sum + each, 0);
  };
  return {
    async order() {
      count += 1;
      const lines = [count, count + SKUS / 2].map((number, index) => ({
        skuId: `sku-${number % SKUS}`,
        quantity: 1 + index,
        unitPriceCents: 450,
      }));
      const headers = { 'idempotency-key': randomUUID(), prefer: `wait=${WAIT_SECONDS}` };
      const { status, text } = await send(
        'POST',
        `${order.url}/orders`,
        { userId: `u${count % 1000}`, lines },
        headers,
      );
      if (status !== 201) throw new Error(`POST /orders was answered ${status}: ${text}`);
      return (JSON.parse(text) as { readonly transaction: string }).transaction;
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
