/**
 * Flows: what the informer holds of them. Nobody here writes a flow but for its finalizer (flow-finalizer.ts).
 */
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { FlowStore } from '../reconcile/ports.ts';
import type { Informers } from './informers.ts';

export class InformedFlowStore implements FlowStore {
  readonly #informers: Informers<TransactionFlow>;

  constructor(informers: Informers<TransactionFlow>) {
    this.#informers = informers;
  }

  get(namespace: string, name: string): TransactionFlow | undefined {
    return this.#informers.get(`${namespace}/${name}`);
  }

  /** Called with a flow's namespace and name when it was created, changed or removed. */
  onChange(listener: (namespace: string, name: string) => void): void {
    this.#informers.onChange((key) => {
      const [namespace = '', name = ''] = key.split('/');
      listener(namespace, name);
    });
  }
}
