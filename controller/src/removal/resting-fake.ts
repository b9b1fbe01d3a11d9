/**
 * An API server's resting transactions in memory, with its selectors, guard and preconditions.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { delay, type Clock } from '../runtime/clock.ts';
import { isFinal } from '../transaction/phase.ts';
import type { PageResult, RemoveManyResult, RemoveResult, Resting, RestingTransactions } from './ports.ts';

const WEBHOOK_AWAY = { kind: 'refused', message: 'failed calling webhook' } as const;

export class RestingFake implements RestingTransactions {
  namespaces: readonly string[] = ['shop'];
  /** There is no right to these; nothing is in them. */
  forbidden: readonly string[] = [];
  /** Namespaces whose webhook is away, and after how many milliseconds that is told. */
  readonly webhookAwayMs = new Map<string, number>();
  readonly stored = new Map<string, OrderTransaction>();
  /** While set, nothing is answered but this. */
  down: string | undefined;
  /** When each was removed, by name. */
  readonly removedAtMs = new Map<string, number>();
  looks = 0;
  /** Transactions that went with a collection. */
  wentTogether = 0;
  /** How long each removal takes; those of a collection follow one another. */
  removalTakesMs = 0;
  /** What takes longer is not answered; nothing of it is done. */
  answeredWithinMs = Infinity;
  readonly #clock: Clock;
  #versions = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  put(name: string, status: OrderTransactionStatus | undefined, namespace = 'shop'): OrderTransaction {
    this.#versions += 1;
    const version = String(this.#versions);
    const transaction: OrderTransaction = {
      apiVersion: 'ordertx.dev/v1alpha1',
      kind: 'OrderTransaction',
      metadata: { name, namespace, uid: `uid-${version}`, resourceVersion: version },
      spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend: false, cancelRequested: false },
      ...(status && { status }),
    };
    this.stored.set(name, transaction);
    return transaction;
  }

  ended(name: string, expires: string, namespace?: string): OrderTransaction {
    return this.put(name, { phase: 'Succeeded', expires }, namespace);
  }

  get names(): readonly string[] {
    return [...this.stored.keys()];
  }

  async page(namespace: string, which: Resting, limit: number, next = '0'): Promise<PageResult> {
    this.looks += 1;
    if (this.forbidden.includes(namespace)) return { kind: 'forbidden' };
    if (this.down !== undefined) return { kind: 'unknown', message: this.down };
    const from = Number(next);
    const found = [...this.stored.values()].filter(({ status, metadata }) => {
      const expires = status?.expires ?? '';
      const selected = which.kind === 'all' ? expires !== '' : expires === which.expires;
      return selected && metadata.namespace === namespace && Number(metadata.resourceVersion) > from;
    });
    const transactions = found.slice(0, limit);
    const last = transactions.at(-1)?.metadata.resourceVersion;
    return { kind: 'page', transactions, next: found.length > limit ? last : undefined };
  }

  async remove({ metadata }: OrderTransaction): Promise<RemoveResult> {
    if (this.down !== undefined) return { kind: 'unknown', message: this.down };
    if (await this.#isWebhookAway(metadata.namespace)) return WEBHOOK_AWAY;
    await this.#removing();
    const stored = this.stored.get(metadata.name);
    if (stored === undefined) return { kind: 'removed' };
    if (stored.metadata.resourceVersion !== metadata.resourceVersion) return { kind: 'changed' };
    if (!isFinal(stored.status?.phase)) return { kind: 'refused', message: 'it is not finished' };
    this.#take(metadata.name);
    return { kind: 'removed' };
  }

  async removeMinute(namespace: string, expires: string, limit: number): Promise<RemoveManyResult> {
    const isAnswered = limit * this.removalTakesMs <= this.answeredWithinMs;
    const found = await this.page(namespace, { kind: 'minute', expires }, limit);
    if (!isAnswered) {
      await delay(this.#clock, this.answeredWithinMs, new AbortController().signal);
      return { kind: 'unknown', message: 'there was no answer in time' };
    }
    if (found.kind === 'forbidden') return { kind: 'refused', message: 'there is no right to this namespace' };
    if (found.kind !== 'page') return { kind: 'unknown', message: this.down ?? '' };
    for (const { metadata, status } of found.transactions) {
      if (await this.#isWebhookAway(namespace)) return WEBHOOK_AWAY;
      if (!isFinal(status?.phase)) return { kind: 'refused', message: 'one is not finished' };
      await this.#removing();
      this.#take(metadata.name);
      this.wentTogether += 1;
    }
    return { kind: 'removed', removed: found.transactions.length, more: found.next !== undefined };
  }

  async #isWebhookAway(namespace = ''): Promise<boolean> {
    const ms = this.webhookAwayMs.get(namespace);
    if (ms !== undefined) await delay(this.#clock, ms, new AbortController().signal);
    return ms !== undefined;
  }

  async #removing(): Promise<void> {
    if (this.removalTakesMs > 0) await delay(this.#clock, this.removalTakesMs, new AbortController().signal);
  }

  #take(name: string): void {
    this.stored.delete(name);
    this.removedAtMs.set(name, this.#clock.now());
  }
}
