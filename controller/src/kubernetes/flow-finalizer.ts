/**
 * Keeps a flow that is being deleted until the transactions that were begun under it have ended.
 *
 *  F1  Every flow carries our finalizer, so deleting it only marks it.
 *  F2  The finalizer is taken off only a flow that is being deleted, and only after a list read from the API server
 *      itself, never from a cache, showed no unfinished transaction of it that is older than the deletion. A younger
 *      one counts as well until it is stored that it waits for a new flow and nobody was called for it (T9).
 *  F3  It is looked at again whenever a transaction of its namespace ends or goes, and from time to time besides.
 *
 * Any number of replicas may do this at once: every write carries the uid and resourceVersion of the copy it was made from.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { WorkQueue } from '../runtime/work-queue.ts';
import { FLOW_FINALIZER, isBegun, needsWork } from '../transaction/phase.ts';
import type { Informers } from './informers.ts';
import { FLOWS, pathOf, TRANSACTIONS, type ObjectList, NEEDS_WORK_SELECTOR } from './stored-object.ts';
import type { ApiAnswer, Transport } from './transport.ts';

export interface FlowFinalizerOptions {
  readonly transport: Transport;
  readonly flows: Informers<TransactionFlow>;
  readonly transactions: Informers<OrderTransaction>;
  readonly clock: Clock;
  readonly log: Log;
  readonly recheckMs?: number;
}

/** Nothing but F3's other half waits for it: what was missed there costs this long. */
const RECHECK_MS = 30_000;
/** Transactions end by the hundred in a second, and each look is a list. */
const AFTER_END_MS = 500;
/** After an answer that did not come, or a copy that was stale. */
const RETRY_MS = 2_000;
const WORKERS_MAX = 2;
/** Unfinished ones only, of which the first that is older than the deletion is enough. */
const PAGE_TRANSACTIONS_MAX = 100;

/** Unfinished transactions older than the flow's deletion, as the API server has them. */
type InUse =
  { readonly kind: 'known'; readonly inUse: boolean } | { readonly kind: 'unknown'; readonly message: string };

export class FlowFinalizer {
  readonly #options: FlowFinalizerOptions;
  readonly #queue: WorkQueue;
  /** Keys of the flows that are being deleted. */
  readonly #deleting = new Set<string>();
  /** By flow, what was said last of its being unknown: it is asked every few seconds and said once. */
  readonly #unknown = new Map<string, string>();

  constructor(options: FlowFinalizerOptions) {
    const { flows, transactions, clock, log } = options;
    this.#options = options;
    this.#queue = new WorkQueue({
      name: 'transactionflow',
      workersMax: WORKERS_MAX,
      handle: (key) => this.#handle(key),
      clock,
      onPanic: (flow, error) => log.error({ flow, err: error }, 'looking after a flow threw: this is a bug'),
    });
    flows.onChange((key, flow) => {
      if (flow?.metadata.deletionTimestamp === undefined) this.#deleting.delete(key);
      else this.#deleting.add(key);
      this.#queue.add(key);
    });
    transactions.onChange((key, transaction) => {
      if (this.#deleting.size === 0) return;
      if (transaction === undefined || !needsWork(transaction.status)) this.#recheck(namespaceOf(key));
    });
  }

  start(): void {
    this.#queue.start();
  }

  async stop(deadlineMs: number): Promise<void> {
    await this.#queue.drain(deadlineMs);
  }

  #recheck(namespace: string): void {
    for (const key of this.#deleting) if (namespaceOf(key) === namespace) this.#queue.addAfter(key, AFTER_END_MS);
  }

  async #handle(key: string): Promise<void> {
    const flow = this.#options.flows.get(key);
    if (flow === undefined) {
      this.#unknown.delete(key);
      this.#queue.forget(key);
      return;
    }
    const finalizers = flow.metadata.finalizers ?? [];
    const kept = finalizers.includes(FLOW_FINALIZER);
    if (flow.metadata.deletionTimestamp === undefined) {
      if (!kept) await this.#write(key, flow, [...finalizers, FLOW_FINALIZER]);
      return;
    }
    if (kept) await this.#mayGo(key, flow, flow.metadata.deletionTimestamp, finalizers);
  }

  async #mayGo(key: string, flow: TransactionFlow, deletedAt: string, finalizers: readonly string[]): Promise<void> {
    const { log, recheckMs = RECHECK_MS } = this.#options;
    const found = await this.#inUse(flow, deletedAt);
    if (found.kind === 'unknown') {
      if (this.#unknown.get(key) !== found.message)
        log.warn({ flow: key }, `whether the flow is still in use is not known: ${found.message}`);
      this.#unknown.set(key, found.message);
      this.#queue.addAfter(key, RETRY_MS);
      return;
    }
    this.#unknown.delete(key);
    if (found.inUse) {
      this.#queue.addAfter(key, recheckMs);
      return;
    }
    log.info({ flow: key }, 'the flow is deleted: no transaction that was begun under it is unfinished');
    await this.#write(
      key,
      flow,
      finalizers.filter((finalizer) => finalizer !== FLOW_FINALIZER),
    );
  }

  async #inUse(flow: TransactionFlow, deletedAt: string): Promise<InUse> {
    const { transport } = this.#options;
    const path = pathOf(TRANSACTIONS, flow.metadata.namespace ?? '');
    const fieldSelector = `spec.flow=${flow.metadata.name},${NEEDS_WORK_SELECTOR}`;
    let next: string | undefined;
    do {
      const query = {
        fieldSelector,
        limit: String(PAGE_TRANSACTIONS_MAX),
        ...(next !== undefined && { continue: next }),
      };
      const answer = await transport.request<ObjectList<OrderTransaction>>({ method: 'GET', path, query });
      if (answer.kind !== 'ok') return { kind: 'unknown', message: sentenceOf(answer) };
      const { items, metadata } = answer.body;
      if (items.some((transaction) => isOlder(transaction, deletedAt) || !isAcknowledged(transaction)))
        return { kind: 'known', inUse: true };
      next = metadata.continue || undefined;
    } while (next !== undefined);
    return { kind: 'known', inUse: false };
  }

  async #write(key: string, flow: TransactionFlow, finalizers: readonly string[]): Promise<void> {
    const { transport, log } = this.#options;
    const { namespace = '', name, uid, resourceVersion } = flow.metadata;
    const body = { metadata: { uid, resourceVersion, finalizers } };
    const answer = await transport.request({ method: 'PATCH', path: pathOf(FLOWS, namespace, name), body });
    if (answer.kind === 'ok') return;
    const gone = answer.kind === 'error' && answer.error.status === 404;
    if (gone) return;
    const stale = answer.kind === 'error' && answer.error.status === 409;
    if (!stale) log.warn({ flow: key }, `the flow's finalizer could not be written: ${sentenceOf(answer)}`);
    this.#queue.addAfter(key, RETRY_MS);
  }
}

/**
 * Whether its controller has stored that it waits, with the names of its branches, none of them called. Until then somebody
 * whose cache does not show the deletion yet may be calling participants for it.
 */
function isAcknowledged({ status }: OrderTransaction): boolean {
  return status?.branches !== undefined && !isBegun(status);
}

/** Both are whole seconds, and the same second counts as younger: as it does for the transaction itself (T9). */
function isOlder(transaction: OrderTransaction, deletedAt: string): boolean {
  const { creationTimestamp } = transaction.metadata;
  return creationTimestamp === undefined || Date.parse(creationTimestamp) < Date.parse(deletedAt);
}

function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

function sentenceOf(answer: Exclude<ApiAnswer<unknown>, { kind: 'ok' }>): string {
  return answer.kind === 'error' ? answer.error.message : answer.message;
}
