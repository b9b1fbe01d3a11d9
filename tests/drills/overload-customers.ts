/**
 * Customers who come at a fixed rate, however slowly they are answered (an open loop), and how each of them was answered.
 *
 * Half of them wait for their order's end; once it is there, some pay, some withdraw, and the rest forget about it.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';
import { waitFor } from '../../local/deadline.ts';
import type { ServiceName } from '../../local/services.ts';
import type { Shop } from '../world/shop.ts';

const SKUS = 200;
const STOCKED = 10_000_000;
export const PREFER_SECONDS = 10;
/** Of those who withdraw. */
export const WITHDRAW_SECONDS = 5;
/** Beyond this nobody waits any more: so it is what "for ever" begins with. */
const PATIENCE_MS = 60_000;
/** Of those who have waited for their order: so many pay, so many withdraw. */
const [PAY_SHARE, WITHDRAW_SHARE] = [0.6, 0.2];

export interface Answers {
  offered: number;
  /** 201, and 202. */
  created: number;
  accepted: number;
  /** 503 with Retry-After. */
  shed: number;
  /** Everything else, by status; 0 stands for no answer at all. */
  readonly others: Record<number, number>;
  /** In seconds, of orders with `Prefer: wait`, of orders without, of what paying asks, and of withdrawals. */
  readonly longest: { waiting: number; order: number; paying: number; withdrawal: number };
}

export const noAnswers = (): Answers => ({
  ...{ offered: 0, created: 0, accepted: 0, shed: 0, others: {} },
  longest: { waiting: 0, order: 0, paying: 0, withdrawal: 0 },
});

interface Answer {
  readonly status: number;
  readonly retryAfter: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

export class OverloadCustomers {
  readonly #shop: Shop;
  readonly #agent = new Agent({ pipelining: 1, headersTimeout: PATIENCE_MS, bodyTimeout: PATIENCE_MS });
  readonly #underWay = new Set<Promise<void>>();
  #answers = noAnswers();
  #count = 0;

  constructor(shop: Shop) {
    this.#shop = shop;
  }

  async stock(): Promise<void> {
    for (let sku = 0; sku < SKUS; sku += 1) await this.#shop.stock(`sku-${sku}`, STOCKED);
  }

  /** Resolves when the time is over; answers that are still to come count all the same. */
  async come(perSecond: number, seconds: number, signal: AbortSignal): Promise<Answers> {
    const answers = (this.#answers = noAnswers());
    const startedMs = performance.now();
    let begun = 0;
    await waitFor(
      async () => {
        const elapsed = (performance.now() - startedMs) / 1_000;
        for (; begun < Math.min(elapsed, seconds) * perSecond; begun += 1) this.#begin(answers);
        return elapsed >= seconds || signal.aborted;
      },
      { what: 'the time for orders to be over', deadlineMs: 2_000 * seconds, everyMs: 10 },
    );
    return answers;
  }

  /** So far, of those who came last. */
  get answers(): Answers {
    return this.#answers;
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /** Until each has been answered, or has lost patience. */
  async allAnswered(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #begin(answers: Answers): void {
    answers.offered += 1;
    this.#count += 1;
    const number = this.#count;
    const visit = this.#visit(number, answers).finally(() => this.#underWay.delete(visit));
    this.#underWay.add(visit);
  }

  async #visit(number: number, answers: Answers): Promise<void> {
    const waits = number % 2 === 0;
    const lines = [number, number + SKUS / 2].map((each) => {
      return { skuId: `sku-${each % SKUS}`, quantity: 1, unitPriceCents: 450 };
    });
    const headers = { 'idempotency-key': randomUUID(), ...(waits && { prefer: `wait=${PREFER_SECONDS}` }) };
    const body = { userId: `u${number % 1_000}`, lines };
    const answer = await this.#ask(answers, waits ? 'waiting' : 'order', 'order', '/orders', { body, headers });
    if (answer.status === 201) answers.created += 1;
    else if (answer.status === 202) answers.accepted += 1;
    else if (answer.status === 503 && answer.retryAfter) answers.shed += 1;
    else note(answers, answer.status);
    if (answer.status === 201) await this.#goOn(answers, String(answer.body.orderId));
  }

  async #goOn(answers: Answers, orderId: string): Promise<void> {
    const wish = Math.random();
    if (wish < PAY_SHARE) {
      const payment = await this.#ask(answers, 'paying', 'payment', '/payments', { body: { orderId } });
      if (payment.status !== 201) {
        note(answers, payment.status);
        return;
      }
      const paid = await this.#ask(answers, 'paying', 'payment', `/payments/${String(payment.body.paymentId)}/pay`, {});
      if (paid.status !== 200) note(answers, paid.status);
    } else if (wish < PAY_SHARE + WITHDRAW_SHARE) {
      const headers = { prefer: `wait=${WITHDRAW_SECONDS}` };
      const withdrawn = await this.#ask(answers, 'withdrawal', 'order', `/orders/${orderId}/withdraw`, { headers });
      if (withdrawn.status !== 200 && withdrawn.status !== 202) note(answers, withdrawn.status);
    }
  }

  async #ask(
    answers: Answers,
    kind: keyof Answers['longest'],
    service: ServiceName,
    path: string,
    { body, headers = {} }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Answer> {
    const begunMs = performance.now();
    try {
      const answer = await request(`${this.#shop.services[service]?.url ?? ''}${path}`, {
        ...{ method: 'POST', dispatcher: this.#agent, signal: AbortSignal.timeout(PATIENCE_MS) },
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const json = (await answer.body.json()) as Answer['body'];
      return { status: answer.statusCode, retryAfter: answer.headers['retry-after'] !== undefined, body: json };
    } catch {
      return { status: 0, retryAfter: false, body: {} };
    } finally {
      answers.longest[kind] = Math.max(answers.longest[kind], (performance.now() - begunMs) / 1_000);
    }
  }
}

function note({ others }: Answers, status: number): void {
  others[status] = (others[status] ?? 0) + 1;
}
