/**
 * The API server as verbs use it: everything has the time limit that was asked for, lists come in chunks.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { FLOWS, TRANSACTIONS, type ObjectList, type Resource } from '../src/kubernetes/stored-object.ts';
import type { ApiAnswer, ApiRequest, Transport } from '../src/kubernetes/transport.ts';
import { bodyOf } from './refusal.ts';

export interface Selectors {
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

/** As kubectl's: more makes one answer slow for everybody at the API server, less only adds round trips. */
const CHUNK_ITEMS = 500;
/** A continue token outlives some minutes; who needs longer than that twice gets all in one piece. */
const EXPIRED = 410;

export class Api {
  readonly #transport: Transport;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal;
  readonly #askedAs: string | undefined;

  /** @param askedAs whom `--as` names: refusals are about him */
  constructor(transport: Transport, timeoutMs: number, signal: AbortSignal, askedAs?: string) {
    this.#transport = transport;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
    this.#askedAs = askedAs;
  }

  get host(): string {
    return this.#transport.host;
  }

  async ask<T>(request: ApiRequest): Promise<ApiAnswer<T>> {
    const answer = await this.#transport.request<T>({ timeoutMs: this.#timeoutMs, signal: this.#signal, ...request });
    if (answer.kind !== 'error' || this.#askedAs === undefined) return answer;
    return { kind: 'error', error: { ...answer.error, askedAs: this.#askedAs } };
  }

  /** The body of a 2xx answer; everything else ends the program with a sentence. */
  async request<T>(request: ApiRequest): Promise<T> {
    return bodyOf(request, await this.ask<T>(request));
  }

  /** Undefined where there is none of that name. */
  async find<T>(path: string): Promise<T | undefined> {
    const answer = await this.ask<T>({ method: 'GET', path });
    const isAbsent = answer.kind === 'error' && answer.error.status === 404 && answer.error.objectName !== undefined;
    return isAbsent ? undefined : bodyOf({ method: 'GET', path }, answer);
  }

  transactions<U = OrderTransaction>(
    namespace: string | undefined,
    selectors: Selectors = {},
    project?: (transaction: OrderTransaction) => U | undefined,
    onAnew?: () => void,
  ): Promise<readonly U[]> {
    return this.list(TRANSACTIONS, 'OrderTransaction', namespace, selectors, project, onAnew);
  }

  flows(namespace: string | undefined, selectors: Selectors = {}): Promise<readonly TransactionFlow[]> {
    return this.list(FLOWS, 'TransactionFlow', namespace, selectors);
  }

  /**
   * Everything that is selected, as it was at one moment.
   *
   * @param project what is kept of each, so that a hundred thousand of them need not be in memory whole; undefined: nothing
   * @param onAnew called where it took too long and begins anew: what `project` has counted is to be forgotten
   */
  async list<T extends object, U = T>(
    resource: Resource,
    kind: string,
    namespace: string | undefined,
    { fieldSelector, labelSelector }: Selectors,
    project: (item: T) => U | undefined = (item) => item as unknown as U,
    onAnew: () => void = () => undefined,
  ): Promise<readonly U[]> {
    const path = collectionOf(resource, namespace);
    const selectors = { ...(fieldSelector && { fieldSelector }), ...(labelSelector && { labelSelector }) };
    const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
    let kept: U[] = [];
    let chunk: Record<string, string> = { limit: String(CHUNK_ITEMS) };
    for (let expired = 0; ;) {
      const request: ApiRequest = { method: 'GET', path, query: { ...selectors, ...chunk } };
      const answer = await this.ask<ObjectList<T>>(request);
      if (answer.kind === 'error' && answer.error.status === EXPIRED && expired < 2) {
        expired += 1;
        kept = [];
        onAnew();
        chunk = expired > 1 ? {} : { limit: String(CHUNK_ITEMS) };
        continue;
      }
      const { items, metadata } = bodyOf(request, answer);
      for (const item of items) {
        // In a list the API server leaves these to its head.
        const projected = project({ apiVersion, kind, ...item });
        if (projected !== undefined) kept.push(projected);
      }
      if (!metadata.continue) return kept;
      chunk = { limit: String(CHUNK_ITEMS), continue: metadata.continue };
    }
  }
}

/** @param namespace undefined: all of them */
export function collectionOf(resource: Resource, namespace: string | undefined): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  return namespace === undefined
    ? `${root}/${resource.plural}`
    : `${root}/namespaces/${encodeURIComponent(namespace)}/${resource.plural}`;
}
