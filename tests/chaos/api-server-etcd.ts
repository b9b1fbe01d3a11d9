/**
 * etcd behind the API server's back, over its JSON gateway (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/).
 *
 * The only way to see what is stored while no API server runs, and to make it forget its history on purpose.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';

interface RangeAnswer {
  readonly header: { readonly revision: string };
  readonly kvs?: readonly { readonly value: string }[];
}

const PREFIX = '/registry/ordertx.dev/ordertransactions/';
/** The first key after all that begin with PREFIX. */
const PREFIX_END = `${PREFIX.slice(0, -1)}0`;

const PUTS_AT_ONCE = 50;

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function ask<T>(etcdUrl: string, path: string, body: object): Promise<T> {
  const answer = await fetch(etcdUrl + path, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`etcd answered POST ${path} with ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

function range(etcdUrl: string): Promise<RangeAnswer> {
  return ask<RangeAnswer>(etcdUrl, '/v3/kv/range', { key: base64(PREFIX), range_end: base64(PREFIX_END) });
}

export async function storedTransactions(etcdUrl: string): Promise<readonly OrderTransaction[]> {
  const { kvs = [] } = await range(etcdUrl);
  return kvs.map(({ value }) => JSON.parse(Buffer.from(value, 'base64').toString('utf8')) as OrderTransaction);
}

/** Everything before now is gone for good: nobody can watch on from an earlier resourceVersion. */
export async function forgetHistory(etcdUrl: string): Promise<void> {
  const { revision } = (await range(etcdUrl)).header;
  await ask(etcdUrl, '/v3/kv/compaction', { revision, physical: true });
}

/** Puts a key that is nobody's: the store's revision, and with it every later resourceVersion, grows by as much. */
export async function putForeignKey(etcdUrl: string, times: number): Promise<void> {
  for (let done = 0; done < times; done += PUTS_AT_ONCE) {
    const many = Array.from({ length: Math.min(PUTS_AT_ONCE, times - done) }, (_, index) =>
      ask(etcdUrl, '/v3/kv/put', { key: base64('/foreign'), value: base64(String(done + index)) }),
    );
    await Promise.all(many);
  }
}
