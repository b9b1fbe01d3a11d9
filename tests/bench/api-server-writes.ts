/**
 * The API server alone: the same writes as an order's transaction costs it, by nobody but us.
 *
 * What is written was recorded from a real transaction, object and both statuses, so that this is the ceiling of the same
 * work: nothing that is built on these writes can be faster.
 */
import { Agent, Pool, request, type Dispatcher } from 'undici';
import type { OrderTransaction, OrderTransactionStatus } from '../../crds/generated/ordertransaction.ts';
import { createNamespace } from '../../local/cluster.ts';
import type { System } from './system.ts';

const GROUP = '/apis/ordertx.dev/v1alpha1';
/** No controller works in it. */
const NAMESPACE = 'bench-writes';
const REMOVED_AT_ONCE = 500;
/** As the controller has. */
const CONNECTIONS_MAX = 64;

/** An order's transaction as the API server was given it: its creation and each status. */
export interface Recording {
  readonly created: Pick<OrderTransaction, 'apiVersion' | 'kind' | 'metadata' | 'spec'>;
  readonly statuses: readonly OrderTransactionStatus[];
}

/** Watches one transaction from its creation to its end. `act` has it created and resolves with its name. */
export async function record({ cluster }: System, act: () => Promise<string>): Promise<Recording> {
  const agent = new Agent({ connect: { ca: cluster.certificate } });
  const collection = `${GROUP}/namespaces/default/ordertransactions`;
  const { body: now } = await cluster.admin.request('GET', `${collection}?limit=1`);
  const { resourceVersion } = (now as { readonly metadata: { readonly resourceVersion: string } }).metadata;
  const answer = await request(`${cluster.url}${collection}?watch=true&resourceVersion=${resourceVersion}`, {
    dispatcher: agent,
    headers: { authorization: `Bearer ${cluster.token}` },
  });
  try {
    const [events] = await Promise.all([eventsOfOne(answer.body), act()]);
    const [first, ...later] = events;
    if (first === undefined) throw new Error('the watch ended before a transaction came');
    const { apiVersion, kind, metadata, spec } = first;
    const { name, annotations } = metadata;
    const statuses = later.flatMap(({ status }) => (status === undefined ? [] : [status]));
    return { created: { apiVersion, kind, metadata: { name, ...(annotations && { annotations }) }, spec }, statuses };
  } finally {
    await agent.destroy();
  }
}

async function eventsOfOne(body: AsyncIterable<Buffer>): Promise<readonly OrderTransaction[]> {
  const seen: OrderTransaction[] = [];
  let text = '';
  for await (const chunk of body) {
    const lines = (text + chunk.toString('utf8')).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const { object } = JSON.parse(line) as { readonly object: OrderTransaction };
      seen.push(object);
      if (object.status?.finishedAt !== undefined) return seen;
    }
  }
  return seen;
}

export interface Writer {
  /** Create and status writes, and the removal too where asked for; resolves with the milliseconds each of them took. */
  transaction(remove: boolean): Promise<readonly number[]>;
  close(): Promise<void>;
}

export async function openWriter({ cluster }: System, recording: Recording): Promise<Writer> {
  await createNamespace(cluster.admin, NAMESPACE);
  const { url, token, certificate } = cluster;
  const pool = new Pool(url, { connect: { ca: certificate }, connections: CONNECTIONS_MAX, allowH2: false });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json' };
  const send = async (method: Dispatcher.HttpMethod, path: string, object?: object): Promise<OrderTransaction> => {
    const sent = object === undefined ? null : JSON.stringify(object);
    const { statusCode, body } = await pool.request({ method, path, headers, body: sent });
    if (statusCode < 300) return (await body.json()) as OrderTransaction;
    throw new Error(`${method} ${path} was answered ${statusCode}: ${await body.text()}`);
  };
  const collection = `${GROUP}/namespaces/${NAMESPACE}/ordertransactions`;
  const { apiVersion, kind, metadata, spec } = recording.created;
  let count = 0;
  return {
    async transaction(remove) {
      const name = `create-o${(count += 1)}`;
      const path = `${collection}/${name}`;
      const took: number[] = [];
      const write = async (...call: Parameters<typeof send>): Promise<OrderTransaction> => {
        const begunMs = performance.now();
        const stored = await send(...call);
        took.push(performance.now() - begunMs);
        return stored;
      };
      let { metadata: stored } = await write('POST', collection, {
        ...{ apiVersion, kind, spec },
        metadata: { ...metadata, name },
      });
      for (const status of recording.statuses) {
        // As the controller does: without the spec, over exactly the copy it has.
        const { uid, resourceVersion } = stored;
        const body = { apiVersion, kind, metadata: { name, namespace: NAMESPACE, uid, resourceVersion }, status };
        ({ metadata: stored } = await write('PUT', `${path}/status`, body));
      }
      if (remove) await write('DELETE', path);
      return took;
    },
    close: () => pool.destroy(),
  };
}

/** Removes every transaction, so that the next measurement meets an API server as empty as the last one did. */
export async function removeAll({ cluster }: System): Promise<void> {
  for (const namespace of ['default', NAMESPACE]) {
    const collection = `${GROUP}/namespaces/${namespace}/ordertransactions`;
    for (;;) {
      const { body } = await cluster.admin.request('GET', `${collection}?limit=1`);
      if ((body as { readonly items: readonly unknown[] }).items.length === 0) break;
      const { status } = await cluster.admin.request('DELETE', `${collection}?limit=${REMOVED_AT_ONCE}`);
      if (status !== 200) throw new Error(`removing ${namespace}'s transactions was answered ${status}`);
    }
  }
}
