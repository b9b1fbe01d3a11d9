/**
 * Flows: what the informer holds of them, and what the API server has of one that the informer may not have heard of yet.
 * Nobody here writes a flow but for its finalizer (flow-finalizer.ts).
 */
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { FlowStore } from '../reconcile/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { FLOW_FINALIZER } from '../transaction/phase.ts';
import type { Informers } from './informers.ts';
import { slim } from './slim.ts';
import { FLOWS, isNewer, keyOf, pathOf, resourceVersionOf } from './stored-object.ts';
import type { Transport } from './transport.ts';

export interface FlowStoreOptions {
  readonly transport: Transport;
  readonly informers: Pick<Informers<TransactionFlow>, 'get' | 'onChange'>;
  readonly clock: Clock;
}

interface Reading {
  readonly key: string;
  /** The newest version that the informer told of it meanwhile. */
  toldVersion: string | undefined;
}

/**
 * For how long what a read has found counts before the informer holds it as well. Longer, and a flow that went before a list, and
 * so was never told of, would be worked by; shorter, and a watch that is behind would make every pass ask again.
 */
const FOUND_MS_MAX = 10_000;

export class InformedFlowStore implements FlowStore {
  readonly #options: FlowStoreOptions;
  readonly #found = new Map<string, TransactionFlow>();
  readonly #readings = new Set<Reading>();

  constructor(options: FlowStoreOptions) {
    this.#options = options;
    options.informers.onChange((key, _flow, version) => {
      for (const reading of this.#readings) if (reading.key === key) reading.toldVersion = version;
      const found = this.#found.get(key);
      if (found !== undefined && !isNewer(resourceVersionOf(found), version)) this.#found.delete(key);
    });
  }

  get(namespace: string, name: string): TransactionFlow | undefined {
    const key = `${namespace}/${name}`;
    return this.#found.get(key) ?? this.#options.informers.get(key);
  }

  async read(namespace: string, name: string): Promise<boolean> {
    const reading: Reading = { key: `${namespace}/${name}`, toldVersion: undefined };
    this.#readings.add(reading);
    const path = pathOf(FLOWS, namespace, name);
    const answer = await this.#options.transport.request<TransactionFlow>({ method: 'GET', path });
    this.#readings.delete(reading);
    switch (answer.kind) {
      case 'ok':
        this.#believe(slim(answer.body), reading);
        return true;
      case 'error':
        // None is there, or it is not for us to read: then what the watch shows is all there is. Anything else may be over soon.
        return answer.error.status === 404 || answer.error.status === 403;
      case 'unanswered':
        return false;
    }
  }

  /**
   * Called with a flow's namespace and name when it was created or removed, or changed in what its transactions go by: each of them is
   * looked at then, so a label or annotation must not be a reason.
   */
  onChange(listener: (namespace: string, name: string) => void): void {
    const told = new Map<string, string>();
    this.#options.informers.onChange((key, flow) => {
      const known = told.get(key);
      if (flow === undefined) told.delete(key);
      else if (known === whatCounts(flow)) return;
      else told.set(key, whatCounts(flow));
      const [namespace = '', name = ''] = key.split('/');
      listener(namespace, name);
    });
  }

  #believe(flow: TransactionFlow, { toldVersion }: Reading): void {
    const key = keyOf(flow);
    const held = this.#found.get(key) ?? this.#options.informers.get(key);
    const newest = toldVersion ?? (held && resourceVersionOf(held));
    if (newest !== undefined && !isNewer(resourceVersionOf(flow), newest)) return;
    this.#found.set(key, flow);
    this.#options.clock.setTimer(FOUND_MS_MAX, () => {
      if (this.#found.get(key) === flow) this.#found.delete(key);
    });
  }
}

/** Its spec, which the generation stands for, whether it is being deleted, and whether it is kept (transaction/flow-guard.ts). */
function whatCounts({ metadata }: TransactionFlow): string {
  const { uid, generation, deletionTimestamp, finalizers = [] } = metadata;
  return JSON.stringify([uid, generation, deletionTimestamp, finalizers.includes(FLOW_FINALIZER)]);
}
