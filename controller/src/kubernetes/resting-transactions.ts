/**
 * Transactions that rest, in the API server: found by `status.expires`, removed one by one or a minute's at once (ADR 31).
 *
 * Removed one by one, it is exactly the copy that was found. A collection's removal carries no versions: the API server lists what
 * the selector finds at that moment and removes it by name.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { PageResult, RemoveManyResult, RemoveResult, Resting, RestingTransactions } from '../removal/ports.ts';
import { pathOf, TRANSACTIONS, withoutManagedFields, type ObjectList } from './stored-object.ts';
import type { Transport } from './transport.ts';

/** A page of them, one after the other, on an API server that is busy. */
const REMOVE_MINUTE_MS = 30_000;
/** An API server waits 10 s for a webhook that hangs, unless that says otherwise, and is then to be heard. */
const REMOVE_MS = 15_000;

/** A webhook that says no and no more; a missing right or a guard; an object that is not valid; a webhook that cannot be reached. */
const REFUSALS = new Set([400, 403, 422, 500]);

/** Selectors know equality and its opposite only; a field that is absent equals the empty one. */
function selectorOf(which: Resting): string {
  return which.kind === 'all' ? 'status.expires!=' : `status.expires=${which.expires}`;
}

export class ApiRestingTransactions implements RestingTransactions {
  readonly namespaces: readonly string[];
  readonly #transport: Transport;

  constructor(transport: Transport, namespaces: readonly string[]) {
    this.#transport = transport;
    this.namespaces = namespaces;
  }

  async page(namespace: string, which: Resting, limit: number, next?: string): Promise<PageResult> {
    const answer = await this.#transport.request<ObjectList<OrderTransaction>>({
      ...{ method: 'GET', path: pathOf(TRANSACTIONS, namespace) },
      query: {
        ...{ fieldSelector: selectorOf(which), limit: String(limit) },
        ...(next !== undefined && { continue: next }),
      },
    });
    switch (answer.kind) {
      case 'ok': {
        const { items, metadata } = answer.body;
        return { kind: 'page', transactions: items.map(withoutManagedFields), next: metadata.continue || undefined };
      }
      case 'error':
        if (answer.error.status === 410 && answer.error.continue !== undefined)
          return { kind: 'expired', next: answer.error.continue };
        if (answer.error.status === 403) return { kind: 'forbidden' };
        return { kind: 'unknown', message: answer.error.message };
      case 'unanswered':
        return { kind: 'unknown', message: answer.message };
    }
  }

  async remove({ metadata }: OrderTransaction): Promise<RemoveResult> {
    const { namespace = '', name, uid, resourceVersion } = metadata;
    if (uid === undefined || resourceVersion === undefined) throw new Error(`${namespace}/${name} was never stored`);
    const answer = await this.#transport.request({
      ...{ method: 'DELETE', path: pathOf(TRANSACTIONS, namespace, name), timeoutMs: REMOVE_MS },
      body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
    });
    switch (answer.kind) {
      case 'ok':
        return { kind: 'removed' };
      case 'error': {
        const { status, message, objectName } = answer.error;
        if (status === 404 && objectName === name) return { kind: 'removed' };
        if (status === 409) return { kind: 'changed' };
        return { kind: REFUSALS.has(status) ? 'refused' : 'unknown', message };
      }
      case 'unanswered':
        return { kind: 'unknown', message: answer.message };
    }
  }

  async removeMinute(namespace: string, expires: string, limit: number): Promise<RemoveManyResult> {
    const answer = await this.#transport.request<ObjectList<OrderTransaction>>({
      ...{ method: 'DELETE', path: pathOf(TRANSACTIONS, namespace), timeoutMs: REMOVE_MINUTE_MS },
      query: { fieldSelector: selectorOf({ kind: 'minute', expires }), limit: String(limit) },
    });
    switch (answer.kind) {
      case 'ok': {
        const { items, metadata } = answer.body;
        const removed = items.filter((each) => each.metadata.deletionTimestamp === undefined).length;
        return { kind: 'removed', removed, more: (metadata.continue ?? '') !== '' };
      }
      case 'error': {
        const { status, message } = answer.error;
        return { kind: REFUSALS.has(status) ? 'refused' : 'unknown', message };
      }
      case 'unanswered':
        return { kind: 'unknown', message: answer.message };
    }
  }
}
