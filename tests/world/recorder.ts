/**
 * Every version of every transaction of a namespace that the API server ever stored, as a watch tells of them.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { Informers } from '../../controller/src/kubernetes/informers.ts';
import { TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import { systemClock } from '../../controller/src/runtime/clock.ts';
import { createLog } from '../../services/kit/src/log.ts';
import { adminTransport } from './api-client.ts';

export interface Recorder {
  /** In the order in which they were stored, by the transaction's name. */
  readonly versions: ReadonlyMap<string, readonly OrderTransaction[]>;
  stop(): Promise<void>;
}

/** Resolves once it hears of everything that is stored from then on. */
export async function recordTransactions(namespace: string): Promise<Recorder> {
  const transport = adminTransport();
  const log = createLog({ name: 'recorder', level: 'silent' });
  const informers = new Informers<OrderTransaction>(TRANSACTIONS, [namespace], { transport, clock: systemClock, log });
  const versions = new Map<string, OrderTransaction[]>();
  informers.onChange((_key, transaction) => {
    if (!transaction) return;
    const { name } = transaction.metadata;
    versions.set(name, [...(versions.get(name) ?? []), transaction]);
  });
  informers.start();
  await informers.whenSynced();
  return {
    versions,
    async stop() {
      await informers.stop();
      await transport.close();
    },
  };
}
