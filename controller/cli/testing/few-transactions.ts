/**
 * As much of an API server as acts on transactions meet: optimistic concurrency, uids, preconditions of deletions, lists in chunks.
 */
import type { OrderTransaction, OrderTransactionStatus, Resolution } from '../../../crds/generated/ordertransaction.ts';
import type { ApiAnswer, ApiRequest, Transport } from '../../src/kubernetes/transport.ts';

type Json = Record<string, unknown>;

export class FewTransactions implements Transport {
  readonly host = 'few.example';
  readonly #objects = new Map<string, OrderTransaction>();
  #version = 0;
  /** What others do before a request is answered. */
  before: (request: ApiRequest) => void = () => undefined;
  /** What is answered instead. */
  instead: (request: ApiRequest) => { readonly status: number; readonly message: string } | undefined = () => undefined;

  put(name: string, status: OrderTransactionStatus): void {
    const uid = `uid-${this.#version}`;
    this.#store({
      ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction' },
      metadata: { name, namespace: 'shop', uid, creationTimestamp: '2026-03-01T12:00:00Z', generation: 1 },
      spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend: false, cancelRequested: false },
      status,
    });
  }

  get(name: string): OrderTransaction | undefined {
    return this.#objects.get(name);
  }

  remove(name: string): void {
    this.#objects.delete(name);
  }

  setStatus(name: string, status: OrderTransactionStatus): void {
    this.#store({ ...this.#known(name), status });
  }

  annotate(name: string, annotations: Readonly<Record<string, string>>): void {
    const known = this.#known(name);
    this.#store({ ...known, metadata: { ...known.metadata, annotations } });
  }

  suspend(name: string, by: string): void {
    const known = this.#known(name);
    this.#store({ ...known, spec: { ...known.spec, suspend: true, suspendedBy: by } });
  }

  settle(name: string, resolution: Resolution): void {
    const known = this.#known(name);
    const resolutions = [...(known.spec.resolutions ?? []), resolution];
    this.#store({ ...known, spec: { ...known.spec, resolutions } });
  }

  request<T>(request: ApiRequest): Promise<ApiAnswer<T>> {
    this.before(request);
    const refusal = this.instead(request);
    const answer = refusal === undefined ? this.#answer(request) : error(refusal.status, refusal.message);
    return Promise.resolve(answer as ApiAnswer<T>);
  }

  stream(): never {
    throw new Error('nothing is watched');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #known(name: string): OrderTransaction {
    const known = this.#objects.get(name);
    if (known === undefined) throw new Error(`there is no ${name}`);
    return known;
  }

  #store(transaction: OrderTransaction): OrderTransaction {
    const { metadata } = transaction;
    const stored = { ...transaction, metadata: { ...metadata, resourceVersion: String(++this.#version) } };
    this.#objects.set(metadata.name, stored);
    return stored;
  }

  #answer({ method, path, query = {}, body }: ApiRequest): ApiAnswer<unknown> {
    if (path.includes('selfsubjectreviews')) return ok({ status: { userInfo: { username: 'alice' } } });
    const name = /\/ordertransactions\/([^/]+)$/.exec(path)?.[1];
    if (name === undefined) return this.#list(query);
    const known = this.#objects.get(name);
    if (known === undefined) return error(404, 'not found', name);
    switch (method) {
      case 'GET':
        return ok(known);
      case 'PATCH':
        return this.#patch(known, body as Json, query.dryRun !== undefined);
      case 'DELETE':
        return this.#delete(known, body as Json);
      case 'POST':
      case 'PUT':
        return error(405, 'nobody acts so');
    }
  }

  #list({ continue: from = '0', limit = '500' }: Readonly<Record<string, string>>): ApiAnswer<unknown> {
    const unfinished = [...this.#objects.values()].filter(({ status }) => status?.expires === undefined);
    const to = Number(from) + Number(limit);
    const metadata = to < unfinished.length ? { continue: String(to) } : {};
    return ok({ metadata, items: unfinished.slice(Number(from), to) });
  }

  #patch(known: OrderTransaction, body: Json, isDry: boolean): ApiAnswer<unknown> {
    const { uid, resourceVersion } = body.metadata as Json;
    if (resourceVersion !== undefined && resourceVersion !== known.metadata.resourceVersion)
      return error(409, 'the object has been modified');
    if (uid !== known.metadata.uid)
      return error(422, `metadata.uid: Invalid value: "${String(uid)}": field is immutable`);
    const patched = merged(known as unknown as Json, body) as unknown as OrderTransaction;
    return ok(isDry ? patched : this.#store(patched));
  }

  #delete({ metadata }: OrderTransaction, body: Json): ApiAnswer<unknown> {
    const { uid, resourceVersion } = body.preconditions as Json;
    if (uid !== metadata.uid) return error(409, `the UID in the precondition (${String(uid)}) does not match`);
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
      return error(409, 'the ResourceVersion in the precondition does not match');
    if (metadata.annotations?.['ordertx.dev/abandon'] === undefined)
      return error(403, 'denied request: it is not finished');
    if (body.dryRun === undefined) this.#objects.delete(metadata.name);
    return ok({});
  }
}

/** RFC 7396, of what has no null. */
function merged(known: Json, change: Json): Json {
  const changed = Object.entries(change).map(([key, value]): [string, unknown] => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return [key, isObject ? merged((known[key] ?? {}) as Json, value as Json) : value];
  });
  return { ...known, ...Object.fromEntries(changed.filter(([, value]) => value !== undefined)) };
}

const ok = (body: unknown): ApiAnswer<unknown> => ({ kind: 'ok', body });
const error = (status: number, message: string, objectName?: string): ApiAnswer<unknown> => ({
  kind: 'error',
  error: { status, reason: '', message, ...(objectName !== undefined && { objectName }) },
});
