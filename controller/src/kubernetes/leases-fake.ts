/**
 * The Leases of an API server, in memory: it compares and swaps as the real one does, and can be made to refuse.
 */
import { LEASES, pathOf } from './stored-object.ts';
import type { ApiAnswer, ApiRequest, Transport } from './transport.ts';

interface StoredLease {
  readonly metadata: { readonly name: string; readonly resourceVersion?: string };
  readonly spec?: { readonly holderIdentity?: string; readonly renewTime?: string };
}

export type AnswersInstead = (request: ApiRequest) => ApiAnswer<never> | Promise<never> | undefined;

export class MemoryLeases {
  readonly #leases = new Map<string, StoredLease>();
  readonly #collection: string;
  #lastVersion = 0;

  constructor(namespace: string) {
    this.#collection = pathOf(LEASES, namespace);
  }

  /** The way there of one replica, which may be cut. */
  transport(answersInstead: AnswersInstead = () => undefined): Transport {
    return {
      host: 'memory',
      request: async <T>(request: ApiRequest) => {
        const answer = (await answersInstead(request)) ?? this.#answer(request);
        return structuredClone(answer) as ApiAnswer<T>;
      },
      stream: () => Promise.reject(new Error('Leases are not watched')),
      close: () => Promise.resolve(),
    };
  }

  #answer({ method, path, body }: ApiRequest): ApiAnswer<unknown> {
    if (method === 'GET' && path === this.#collection) {
      return { kind: 'ok', body: { metadata: { resourceVersion: '1' }, items: [...this.#leases.values()] } };
    }
    const given = body as StoredLease | undefined;
    const name = method === 'POST' ? (given?.metadata.name ?? '') : path.slice(this.#collection.length + 1);
    const stored = this.#leases.get(name);
    switch (method) {
      case 'GET':
        return stored ? { kind: 'ok', body: stored } : failure(404, 'NotFound');
      case 'POST':
        return stored ? failure(409, 'AlreadyExists') : this.#store(name, given);
      case 'PUT':
        if (!stored) return failure(404, 'NotFound');
        return given?.metadata.resourceVersion === stored.metadata.resourceVersion
          ? this.#store(name, given)
          : failure(409, 'Conflict');
      case 'PATCH':
      case 'DELETE':
        return failure(405, 'MethodNotAllowed');
    }
  }

  #store(name: string, given: StoredLease | undefined): ApiAnswer<unknown> {
    this.#lastVersion += 1;
    const stored = { ...given, metadata: { ...given?.metadata, name, resourceVersion: String(this.#lastVersion) } };
    this.#leases.set(name, stored);
    return { kind: 'ok', body: stored };
  }
}

export function failure(status: number, reason: string, message = reason): ApiAnswer<never> {
  return { kind: 'error', error: { status, reason, message } };
}
