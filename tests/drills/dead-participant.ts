/**
 * What a dead participant costs, and how soon it is over: `npm run drill:dead-participant [-- --orders 1000 --seconds 20 --lanes 4]`
 *
 * The whole system, and beside the shop's flows one that only the order service takes part in. Transactions of that one are carried
 * through in a closed loop, first while all is well, then while inventory is dead and so many orders, Stuck by now, wait for it. Then inventory is
 * started again, and the time is taken from its first readiness to the last order's end. How long as many new orders take while all is
 * well says what the machine can do: a machine that carries fewer than a hundred orders a second cannot end 1,000 in 10 s.
 *
 * Fails when the last order ends more than 10 s after that and later than as many new ones took, when the dead service was called
 * more than six times a second, or when the median of the others' transactions is above 1.2 times what it was.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { say } from '../../local/progress.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { runCommand } from '../bench/command.ts';
import { cpuTimes } from '../bench/cpu-time.ts';
import { closedLoop, percentile } from '../bench/closed-loop.ts';
import { readNumbers } from '../bench/number-options.ts';
import { sumOf } from '../world/prometheus-text.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'drill');
const GROUP_PATH = '/apis/ordertx.dev/v1alpha1/namespaces/default';
const DRAINED_SECONDS_MAX = 10;
const CALLS_A_SECOND_MAX = 6;
const SLOWER_MAX = 1.2;
/** Nobody's order is to be cancelled by its deadline meanwhile: all of them are stuck in their try. */
const PATIENCE_SECONDS = 3_600;
const PLACING_LANES = 20;
const WAITING_MS_MAX = 120_000;
const LINES = [{ skuId: 'tea', quantity: 1, unitPriceCents: 450 }];

class Drill {
  readonly #stack: Stack;
  readonly #signal: AbortSignal;

  constructor(stack: Stack, signal: AbortSignal) {
    this.#stack = stack;
    this.#signal = signal;
  }

  async prepare(): Promise<void> {
    const { order, inventory } = this.#stack.business.services;
    const participant = { name: 'order', endpoint: { url: order.url }, path: '/tcc/create-order' };
    const flow = { metadata: { name: 'others' }, spec: { participants: [participant] } };
    const kind = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow' };
    await this.#ask('POST', 'transactionflows', { ...kind, ...flow });
    await this.#ask('PATCH', 'transactionflows/create-order', { spec: { timeoutSeconds: PATIENCE_SECONDS } });
    const body = JSON.stringify({ stocked: 10_000_000 });
    const headers = { 'content-type': 'application/json' };
    await fetch(`${inventory.url}/stock/tea`, { method: 'PUT', headers, body });
  }

  /** One transaction that inventory has no part in, from its creation to its end. */
  async other(): Promise<void> {
    const orderId = `o${randomUUID()}`;
    const name = `create-${orderId}`;
    const payload = { orderId, userId: 'u1', lines: LINES, totalCents: 450 };
    const kind = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction' };
    await this.#ask('POST', 'ordertransactions', {
      ...kind,
      metadata: { name },
      spec: { flow: 'others', orderId, payload },
    });
    const isFinal = async (): Promise<boolean> => {
      const { status } = (await this.#ask('GET', `ordertransactions/${name}`)) as { status?: { finishedAt?: string } };
      return status?.finishedAt !== undefined;
    };
    await waitFor(isFinal, { what: `${name} to end`, deadlineMs: 30_000, everyMs: 5 });
  }

  /** The median of the others' transactions, in milliseconds. */
  async others(lanes: number, seconds: number): Promise<number> {
    const limits = { lanes, milliseconds: seconds * 1_000, roundsMax: Infinity };
    const { latenciesMs } = await closedLoop(limits, () => this.other());
    return percentile(latenciesMs, 0.5);
  }

  /** @param expected what each of them is to be answered: 201 while all is well, 202 where nothing is decided in time */
  async place(orders: number, expected: readonly number[]): Promise<void> {
    const { order } = this.#stack.business.services;
    const limits = { lanes: PLACING_LANES, milliseconds: Infinity, roundsMax: orders };
    await closedLoop(limits, async () => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() };
      const body = JSON.stringify({ userId: 'u1', lines: LINES });
      const answer = await fetch(`${order.url}/orders`, { method: 'POST', headers, body });
      if (!expected.includes(answer.status))
        throw new Error(`POST /orders was answered ${answer.status}: ${await answer.text()}`);
      await answer.arrayBuffer();
    });
  }

  /** From the first of so many orders, placed while all is well, to the last one's end, in seconds: what this machine can do. */
  async fresh(orders: number): Promise<number> {
    const endedBefore = await this.ended();
    const startedMs = performance.now();
    await this.place(orders, [201, 202]);
    await this.until('every fresh order to end', async () => (await this.ended()) - endedBefore >= orders, 250);
    return (performance.now() - startedMs) / 1_000;
  }

  async waitingForInventory(): Promise<number> {
    const query = `ordertransactions?fieldSelector=${encodeURIComponent('status.waitingFor=inventory')}`;
    return ((await this.#ask('GET', query)) as { items: readonly unknown[] }).items.length;
  }

  async ended(): Promise<number> {
    return sumOf(await this.#metrics(), 'ordertx_transactions_finished_total', { flow: 'create-order' });
  }

  async stuck(): Promise<number> {
    return sumOf(await this.#metrics(), 'ordertx_transactions_stuck', { flow: 'create-order' });
  }

  async callsToInventory(): Promise<number> {
    return sumOf(await this.#metrics(), 'ordertx_participant_calls_total', { participant: 'inventory' });
  }

  async until(what: string, ask: () => Promise<boolean>, everyMs = 50): Promise<void> {
    await waitFor(ask, { what, deadlineMs: WAITING_MS_MAX, everyMs, signal: this.#signal });
  }

  get inventory() {
    return this.#stack.business.services.inventory.part;
  }

  async #metrics(): Promise<string> {
    const [controller] = this.#stack.business.controllers;
    return (await fetch(`${controller?.url ?? ''}/metrics`)).text();
  }

  async #ask(method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown): Promise<unknown> {
    const answer = await this.#stack.cluster.admin.request(method, `${GROUP_PATH}/${path}`, body);
    if (answer.status >= 300) throw new Error(`${method} ${path} was answered ${answer.status}`);
    return answer.body;
  }
}

async function drill(): Promise<void> {
  const { orders, seconds, lanes } = readNumbers({ orders: 1_000, seconds: 20, lanes: 4 });
  const end = onEnd();
  const stack = await startStack({ folder: FOLDER, controllers: 1, restart: false }, end.signal);
  try {
    const shop = new Drill(stack, end.signal);
    await shop.prepare();
    await shop.others(lanes, 5);
    const wellMs = await shop.others(lanes, seconds);
    const freshSeconds = await shop.fresh(orders);
    const endedBefore = await shop.ended();

    shop.inventory.process.kill('SIGKILL');
    await shop.inventory.process.exited;
    await shop.place(orders, [202]);
    await shop.until(
      'every order to wait for inventory',
      async () => (await shop.waitingForInventory()) >= orders,
      250,
    );
    // A minute later people have been told of each: from then on nothing is written but what the turns bring.
    await shop.until('every order to be Stuck', async () => (await shop.stuck()) >= orders, 1_000);
    const calls = await shop.callsToInventory();
    const startedMs = performance.now();
    const besideMs = await shop.others(lanes, seconds);
    const callsASecond = ((await shop.callsToInventory()) - calls) / ((performance.now() - startedMs) / 1_000);

    await shop.inventory.restart();
    const backMs = performance.now();
    const cpuBefore = cpuTimes(stack.description());
    await shop.until('every order to end', async () => (await shop.ended()) - endedBefore >= orders, 250);
    const drainedSeconds = (performance.now() - backMs) / 1_000;

    const cpuAfter = cpuTimes(stack.description());
    const cores = Object.entries(cpuAfter)
      .map(([part, ms]) => `${part} ${((ms - (cpuBefore[part] ?? 0)) / 1_000 / drainedSeconds).toFixed(2)}`)
      .join(', ');
    const ratio = besideMs / wellMs;
    say(
      `${String(orders)} orders waited for a dead inventory, which was called ${callsASecond.toFixed(1)} times a second`,
    );
    say(
      `median of the others: ${wellMs.toFixed(0)} ms without, ${besideMs.toFixed(0)} ms beside it: ${ratio.toFixed(2)}`,
    );
    say(
      `all orders ended ${drainedSeconds.toFixed(1)} s after inventory was ready again; as many new ones took ${freshSeconds.toFixed(1)} s while all was well`,
    );
    say(`cores meanwhile: ${cores}`);
    const wrong = [
      ...(drainedSeconds > Math.max(DRAINED_SECONDS_MAX, freshSeconds)
        ? [`the end may take ${String(DRAINED_SECONDS_MAX)} s, or what as many new orders took`]
        : []),
      ...(callsASecond > CALLS_A_SECOND_MAX ? [`${String(CALLS_A_SECOND_MAX)} calls a second are enough`] : []),
      ...(ratio > SLOWER_MAX ? [`others may take ${String(SLOWER_MAX)} times as long`] : []),
    ];
    if (wrong.length > 0) throw new Error(wrong.join('; '));
  } finally {
    await stack.close();
  }
}

await runCommand(drill);
