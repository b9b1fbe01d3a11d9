/**
 * Every version of every transaction of a namespace that the API server ever stored, as a watch tells of them.
 *
 * A watch of its own, not the controller's informer: that one lists anew after a watch that broke (an API server cuts those that read
 * too slowly for it), and a list knows only the newest version. Here the next watch begins where the last one ended, or nobody is told
 * that all was seen.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { pathOf, TRANSACTIONS, type ObjectList } from '../../controller/src/kubernetes/stored-object.ts';
import { waitFor } from '../../local/deadline.ts';
import { adminTransport, expectOk } from './api-client.ts';

export interface Recorder {
  /** In the order in which they were stored, by the transaction's name. */
  readonly versions: ReadonlyMap<string, readonly OrderTransaction[]>;
  /** Rejects where versions were missed. */
  stop(): Promise<void>;
}

type WatchEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'ERROR';
  readonly object: OrderTransaction & { readonly message?: string };
};

const AGAIN_MS = 100;
const GONE = 410;

/** Hears of everything that is stored from its call on. */
export async function recordTransactions(namespace: string): Promise<Recorder> {
  const transport = adminTransport();
  const path = pathOf(TRANSACTIONS, namespace);
  const { metadata } = await expectOk<ObjectList<OrderTransaction>>(transport, { method: 'GET', path });
  const versions = new Map<string, OrderTransaction[]>();
  const stopping = new AbortController();
  let seen = metadata.resourceVersion;
  let missed: string | undefined;

  async function watch(): Promise<void> {
    const answer = await transport.stream(path, { watch: 'true', resourceVersion: seen }, stopping.signal);
    if (answer.kind === 'error' && answer.error.status === GONE) missed = answer.error.message;
    if (answer.kind !== 'ok') return;
    for await (const line of answer.body) {
      const { type, object } = JSON.parse(line) as WatchEvent;
      if (type === 'ERROR') {
        missed = object.message ?? 'the API server ended the watch without a reason';
        return;
      }
      const { name, resourceVersion } = object.metadata;
      seen = resourceVersion ?? seen;
      if (type !== 'DELETED') versions.set(name, [...(versions.get(name) ?? []), object]);
    }
  }

  const recorded = waitFor(
    async () => {
      await watch();
      return stopping.signal.aborted;
    },
    {
      ...{ what: 'the recorder to be stopped', deadlineMs: Infinity, everyMs: AGAIN_MS },
      giveUp: () => {
        if (missed !== undefined) throw new Error(missed);
      },
    },
  );
  recorded.catch(() => undefined);
  return {
    versions,
    async stop() {
      stopping.abort();
      await transport.close();
      await recorded;
    },
  };
}
