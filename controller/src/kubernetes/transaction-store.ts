/**
 * Transactions: the newest copy known here, and the status write that the whole protocol rests on.
 *
 *  S1  A status write replaces the status of exactly the copy it was made from: it carries that copy's uid and
 *      resourceVersion, so one made from a stale copy is refused by the API server (T1).
 *  S2  `get` never answers with a copy older than our own last write, although the watch may not have told of it yet:
 *      else every write would be followed by one more that is bound to conflict.
 *  S3  What S2 remembers is dropped once the informer has caught up: it holds that version or a later one, saw the
 *      object go, or took a list that was begun after the write. So what is remembered is bounded by what is in flight.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { Key, ReadResult, TransactionStore, WriteResult } from '../reconcile/ports.ts';
import type { Informer } from './informer.ts';
import type { Informers } from './informers.ts';
import { isNewer, keyOf, pathOf, resourceVersionOf, TRANSACTIONS } from './stored-object.ts';
import type { ApiError, Transport } from './transport.ts';

interface Own {
  readonly transaction: OrderTransaction;
  /** How many lists had begun when its answer came: only a later one must have it. */
  readonly listsStarted: number;
}

export class ApiTransactionStore implements TransactionStore {
  readonly #transport: Transport;
  readonly #informers: Informers<OrderTransaction>;
  readonly #own = new Map<Key, Own>();
  readonly #onWrite: (result: WriteResult['kind']) => void;

  constructor(
    transport: Transport,
    informers: Informers<OrderTransaction>,
    onWrite: (result: WriteResult['kind']) => void = () => undefined,
  ) {
    this.#transport = transport;
    this.#informers = informers;
    this.#onWrite = onWrite;
    informers.onChange((key, _transaction, version) => this.#caughtUp(key, version));
    informers.onList((informer, listNumber) => this.#listed(informer, listNumber));
  }

  /** How many own writes the informer has not caught up with. */
  get ownWritesRemembered(): number {
    return this.#own.size;
  }

  get(key: Key): OrderTransaction | undefined {
    const cached = this.#informers.get(key);
    const own = this.#own.get(key)?.transaction;
    if (own === undefined) return cached;
    return cached !== undefined && isNewer(resourceVersionOf(cached), resourceVersionOf(own)) ? cached : own;
  }

  async read(key: Key): Promise<ReadResult> {
    const [namespace = '', name = ''] = key.split('/');
    const path = pathOf(TRANSACTIONS, namespace, name);
    const answer = await this.#transport.request<OrderTransaction>({ method: 'GET', path });
    switch (answer.kind) {
      case 'ok':
        this.#remember(answer.body);
        return { kind: 'found', transaction: answer.body };
      case 'error':
        if (!isGone(answer.error, name)) return { kind: 'unknown', message: sentenceOf(answer.error) };
        this.#own.delete(key);
        return { kind: 'absent' };
      case 'unanswered':
        return { kind: 'unknown', message: answer.message };
    }
  }

  async writeStatus(transaction: OrderTransaction, status: OrderTransactionStatus): Promise<WriteResult> {
    const result = await this.#write(transaction, status);
    this.#onWrite(result.kind);
    return result;
  }

  async #write(transaction: OrderTransaction, status: OrderTransactionStatus): Promise<WriteResult> {
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
        if (isGone(answer.error, name)) this.#own.delete(keyOf(transaction));
        return writeResultOf(answer.error, name);
      case 'unanswered':
        return { kind: 'unknown', message: answer.message };
    }
  }

  #remember(transaction: OrderTransaction): void {
    delete (transaction.metadata as { managedFields?: unknown }).managedFields;
    const key = keyOf(transaction);
    const known = this.get(key);
    if (known !== undefined && !isNewer(resourceVersionOf(transaction), resourceVersionOf(known))) return;
    this.#own.set(key, { transaction, listsStarted: this.#informers.of(key)?.listsStarted ?? 0 });
  }

  #caughtUp(key: Key, version: string): void {
    const own = this.#own.get(key);
    if (own !== undefined && !isNewer(resourceVersionOf(own.transaction), version)) this.#own.delete(key);
  }

  #listed(informer: Informer<OrderTransaction>, listNumber: number): void {
    for (const [key, own] of this.#own) {
      if (own.listsStarted < listNumber && this.#informers.of(key) === informer) this.#own.delete(key);
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
