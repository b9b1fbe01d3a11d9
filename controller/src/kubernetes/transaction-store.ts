/**
 * Transactions: the newest copy known here, and the status write that the whole protocol rests on.
 *
 *  S1  A status write replaces the status of exactly the copy it was made from: it carries that copy's uid and
 *      resourceVersion, so one made from a stale copy is refused by the API server (T1).
 *  S2  `get` never answers with a copy older than our own last write, although the watch may not have told of it yet:
 *      else every write would be followed by one more that is bound to conflict.
 *  S3  A read is the truth for its key at once. Where it is older than what was known when it was asked for, the store
 *      went back: it replaces the cached copy nevertheless, and the informer lists again. Where it found nothing, or
 *      another object, the deletion may only be on its way: the informer lists again unless it hears of it soon.
 *  S4  What S2 and S3 remember is dropped once the informer has caught up: it holds that version or a later one, saw the
 *      object go, or took a list that was begun after it. So what is remembered is bounded by what is in flight.
 *  S5  Where the informer holds only what needs work, a transaction leaves it as it comes to rest, before or after the answer
 *      to the write that ended it. What rests is remembered only as long as the informer holds an older copy of it.
 *  S6  The watch also tells of our own writes. Whoever has stored a copy has gone on from it, so that is no news and wakes nobody.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { Key, ReadResult, TransactionStore, WriteResult } from '../reconcile/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { needsWork } from '../transaction/phase.ts';
import type { Informer } from './informer.ts';
import type { Informers } from './informers.ts';
import { slim } from './slim.ts';
import { isNewer, keyOf, pathOf, resourceVersionOf, TRANSACTIONS } from './stored-object.ts';
import type { ApiError, Transport } from './transport.ts';

/** What is known of a key beyond the informer's copy. */
interface Known {
  /** Undefined: it is gone. */
  readonly transaction: OrderTransaction | undefined;
  /** The informer's copy that this replaces whatever its version (S3). */
  readonly disproved: OrderTransaction | undefined;
  /** How many lists had begun when the answer came: only a later one must have it. */
  readonly listsStarted: number;
  /** It is what a write of ours has stored. */
  readonly isOwnWrite: boolean;
}

export interface TransactionStoreOptions {
  readonly transport: Transport;
  readonly informers: Informers<OrderTransaction>;
  readonly clock: Clock;
}

/** A watch is behind by milliseconds; by this much only where it has not noticed that the store went back. */
const HEARS_OF_IT_MS = 2_000;

export class ApiTransactionStore implements TransactionStore {
  readonly #transport: Transport;
  readonly #informers: Informers<OrderTransaction>;
  readonly #clock: Clock;
  readonly #known = new Map<Key, Known>();
  readonly #newsListeners: ((key: Key) => void)[] = [];

  constructor({ transport, informers, clock }: TransactionStoreOptions) {
    this.#transport = transport;
    this.#informers = informers;
    this.#clock = clock;
    informers.onChange((key, transaction, version) => {
      const isNews = !this.#isOwnWrite(key, transaction, version);
      this.#caughtUp(key, transaction, version);
      if (isNews) for (const listener of this.#newsListeners) listener(key);
    });
    informers.onList((informer, listNumber) => this.#listed(informer, listNumber));
  }

  /** Called for every change but the echo of our own writes (S6), after `get` answers with it. */
  onNews(listener: (key: Key) => void): void {
    this.#newsListeners.push(listener);
  }

  /** How many keys the informer has not caught up with. */
  get remembered(): number {
    return this.#known.size;
  }

  get(key: Key): OrderTransaction | undefined {
    const cached = this.#informers.get(key);
    const known = this.#known.get(key);
    if (known === undefined) return cached;
    const own = known.transaction;
    if (known.disproved !== undefined && known.disproved === cached) return own;
    if (own === undefined) return cached;
    return cached !== undefined && isNewer(resourceVersionOf(cached), resourceVersionOf(own)) ? cached : own;
  }

  async read(key: Key): Promise<ReadResult> {
    const [namespace = '', name = ''] = key.split('/');
    const path = pathOf(TRANSACTIONS, namespace, name);
    const before = this.get(key);
    const answer = await this.#transport.request<OrderTransaction>({ method: 'GET', path });
    switch (answer.kind) {
      case 'ok':
        return { kind: 'found', transaction: this.#believe(key, before, answer.body) ?? answer.body };
      case 'error':
        if (!isGone(answer.error, name)) return { kind: 'unknown', message: sentenceOf(answer.error) };
        this.#believe(key, before, undefined);
        return { kind: 'absent' };
      case 'unanswered':
        return { kind: 'unknown', message: answer.message };
    }
  }

  async writeStatus(transaction: OrderTransaction, status: OrderTransactionStatus): Promise<WriteResult> {
    const { name, namespace = '', uid, resourceVersion } = transaction.metadata;
    if (uid === undefined || resourceVersion === undefined) throw new Error(`${namespace}/${name} was never stored`);
    const { apiVersion, kind } = transaction;
    const answer = await this.#transport.request<OrderTransaction>({
      method: 'PUT',
      path: `${pathOf(TRANSACTIONS, namespace, name)}/status`,
      // Without the spec: the status subresource takes it from what is stored, and a payload can be large.
      body: { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status },
    });
    switch (answer.kind) {
      case 'ok':
        this.#remember(answer.body);
        return { kind: 'stored', transaction: answer.body };
      case 'error':
        if (isGone(answer.error, name)) this.#known.delete(keyOf(transaction));
        return writeResultOf(answer.error, name);
      case 'unanswered':
        return { kind: 'unknown', message: answer.message };
    }
  }

  /** What a write has stored. */
  #remember(stored: OrderTransaction): void {
    const transaction = slim(stored);
    const key = keyOf(transaction);
    if (this.#hasLeft(key, transaction)) return;
    const newest = this.get(key);
    if (newest !== undefined && !isNewer(resourceVersionOf(transaction), resourceVersionOf(newest))) return;
    this.#know(key, transaction, this.#known.get(key)?.disproved, true);
  }

  /** What a read has found (S3). @param before what was known when it was asked for */
  #believe(
    key: Key,
    before: OrderTransaction | undefined,
    stored: OrderTransaction | undefined,
  ): OrderTransaction | undefined {
    const transaction = stored && slim(stored);
    const newest = this.get(key);
    const cached = this.#informers.get(key);
    const olderThan = (known: OrderTransaction | undefined): boolean =>
      known !== undefined &&
      transaction !== undefined &&
      (isNewer(resourceVersionOf(known), resourceVersionOf(transaction)) ||
        (resourceVersionOf(known) === resourceVersionOf(transaction) &&
          known.metadata.uid !== transaction.metadata.uid));
    // What came while the read was under way may be newer than it in an honest way.
    if (newest !== before && (transaction === undefined || olderThan(newest))) return newest;
    const wentBack = olderThan(before);
    if (cached !== undefined && cached.metadata.uid !== transaction?.metadata.uid) this.#expectNews(key, cached);
    if (wentBack) this.#informers.of(key)?.relist();
    if (transaction !== undefined && this.#hasLeft(key, transaction)) return transaction;
    if (transaction === undefined && cached === undefined) this.#known.delete(key);
    else this.#know(key, transaction, wentBack || transaction === undefined ? cached : this.#known.get(key)?.disproved);
    return transaction;
  }

  #know(
    key: Key,
    transaction: OrderTransaction | undefined,
    disproved: OrderTransaction | undefined,
    isOwnWrite = false,
  ): void {
    const listsStarted = this.#informers.of(key)?.listsStarted ?? 0;
    this.#known.set(key, { transaction, disproved, listsStarted, isOwnWrite });
  }

  /** What leaves the informer by a write of ours, because it rests, is told with that write's version; what was deleted, with a later one. */
  #isOwnWrite(key: Key, heard: OrderTransaction | undefined, version: string): boolean {
    const known = this.#known.get(key);
    if (known?.transaction === undefined || !known.isOwnWrite) return false;
    const { uid, resourceVersion } = known.transaction.metadata;
    return resourceVersion === version && (heard === undefined || heard.metadata.uid === uid);
  }

  #expectNews(key: Key, cached: OrderTransaction): void {
    this.#clock.setTimer(HEARS_OF_IT_MS, () => {
      const informer = this.#informers.of(key);
      if (informer?.get(key) === cached) informer.relist();
    });
  }

  /** S5: whether it rests and the informer has let go of it already. Then nothing is remembered of it. */
  #hasLeft(key: Key, { status }: OrderTransaction): boolean {
    if (needsWork(status) || this.#informers.get(key) !== undefined) return false;
    this.#known.delete(key);
    return true;
  }

  #caughtUp(key: Key, heard: OrderTransaction | undefined, version: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    const hasLeft = heard === undefined && known.transaction !== undefined && !needsWork(known.transaction.status);
    if (hasLeft || known.transaction === undefined || !isNewer(resourceVersionOf(known.transaction), version))
      this.#known.delete(key);
  }

  #listed(informer: Informer<OrderTransaction>, listNumber: number): void {
    for (const [key, known] of this.#known) {
      if (known.listsStarted < listNumber && this.#informers.of(key) === informer) this.#known.delete(key);
    }
  }
}

function writeResultOf(error: ApiError, name: string): WriteResult {
  if (error.status === 409) return { kind: 'conflict' };
  if (isGone(error, name)) return { kind: 'gone' };
  if (error.status === 422 || error.status === 403) return { kind: 'refused', message: error.message };
  return { kind: 'unknown', message: sentenceOf(error) };
}

/** A 404 that is about the object. One that is about the resource means that its CRD is not served, perhaps not yet. */
function isGone(error: ApiError, name: string): boolean {
  return error.status === 404 && error.objectName === name;
}

function sentenceOf(error: ApiError): string {
  return `the API server answered ${error.status}: ${error.message}`;
}
