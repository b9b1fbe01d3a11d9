/** What a read says is the truth at once, whatever the cache remembers; the informer lists again where the two do not fit. */
import { describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { silentLog } from '../runtime/log.ts';
import { Informers } from './informers.ts';
import { TRANSACTIONS } from './stored-object.ts';
import { ApiTransactionStore } from './transaction-store.ts';
import type { ApiAnswer, ApiRequest, Transport } from './transport.ts';

const KEY = 'shop/t';

function copy(resourceVersion: string, uid = 'u1'): OrderTransaction {
  const { flow, orderId, payload } = { flow: 'create-order', orderId: 'o1', payload: {} };
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { name: 't', namespace: 'shop', uid, resourceVersion },
    spec: { flow, orderId, payload, suspend: false, cancelRequested: false, resolutions: [] },
  };
}

const NOT_FOUND = { status: 404, reason: 'NotFound', message: 'not found', objectName: 't' };

/** Of one object; its watches are open and say only what the test has them tell, as while nobody has noticed yet. */
class SilentApiServer implements Transport {
  readonly host = 'memory';
  stored: OrderTransaction | undefined;
  lists = 0;
  readonly #told: string[] = [];
  #tell = (): void => undefined;

  /** An event on every watch. */
  tell(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: OrderTransaction): void {
    this.#told.push(JSON.stringify({ type, object }));
    this.#tell();
  }

  request<T>({ method, path, query, body }: ApiRequest): Promise<ApiAnswer<T>> {
    if (method === 'PUT') {
      const { resourceVersion } = (body as OrderTransaction).metadata;
      if (resourceVersion !== this.stored?.metadata.resourceVersion)
        return Promise.resolve({ kind: 'error', error: { status: 409, reason: 'Conflict', message: 'another' } });
      this.stored = copy(String(Number(resourceVersion) + 1), this.stored?.metadata.uid);
      return answered(this.stored as T);
    }
    if (query?.limit === undefined && path.endsWith('/t')) {
      return this.stored ? answered(this.stored as T) : Promise.resolve({ kind: 'error', error: NOT_FOUND });
    }
    this.lists += 1;
    const items = this.stored === undefined ? [] : [this.stored];
    return answered({ metadata: { resourceVersion: '1000' }, items } as T);
  }

  stream(
    _path: string,
    _query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ApiAnswer<AsyncIterable<string>>> {
    return answered(this.#lines(signal));
  }

  async *#lines(signal: AbortSignal): AsyncGenerator<string, void, void> {
    for (;;) {
      const line = this.#told.shift();
      if (line !== undefined) yield line;
      else
        await new Promise<void>((resolve, reject) => {
          this.#tell = resolve;
          signal.addEventListener('abort', () => reject(new Error('cut')));
        });
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function answered<T>(body: T): Promise<ApiAnswer<T>> {
  return Promise.resolve({ kind: 'ok', body: structuredCloneOf(body) });
}

function structuredCloneOf<T>(body: T): T {
  return typeof (body as object | undefined) === 'object' && !(Symbol.asyncIterator in (body as object))
    ? structuredClone(body)
    : body;
}

async function open(stored: OrderTransaction) {
  const clock = new ManualClock();
  const server = new SilentApiServer();
  server.stored = stored;
  const informers = new Informers<OrderTransaction>(TRANSACTIONS, ['shop'], {
    transport: server,
    clock,
    log: silentLog,
  });
  const store = new ApiTransactionStore({ transport: server, informers, clock });
  informers.start();
  await clock.advance(0);
  return { clock, server, informers, store, versionKnown: () => store.get(KEY)?.metadata.resourceVersion };
}

test('a copy that is older than what was known replaces it at once, is written over, and everything is listed again', async () => {
  const { clock, server, informers, store, versionKnown } = await open(copy('900'));
  server.stored = copy('700');
  await store.read(KEY);
  expect(versionKnown()).toBe('700');
  expect(informers.get(KEY)?.metadata.resourceVersion).toBe('900');
  expect((await store.writeStatus(store.get(KEY)!, {})).kind).toBe('stored');
  expect(versionKnown()).toBe('701');
  await clock.advance(20_000);
  expect([server.lists, informers.get(KEY)?.metadata.resourceVersion, store.remembered]).toEqual([2, '701', 0]);
  await informers.stop();
});

test('one that is not there any more is gone at once, and from the cache as well unless the watch tells of it soon', async () => {
  const { clock, server, informers, store, versionKnown } = await open(copy('900'));
  server.stored = undefined;
  expect((await store.read(KEY)).kind).toBe('absent');
  expect(versionKnown()).toBeUndefined();
  expect(informers.size).toBe(1);
  await clock.advance(20_000);
  expect([server.lists, informers.size, store.remembered]).toEqual([2, 0, 0]);
  await informers.stop();
});

test('another object of its name is taken for what it is, although its version is the higher one', async () => {
  const { clock, server, informers, store } = await open(copy('900'));
  server.stored = copy('5000', 'u2');
  await store.read(KEY);
  expect(store.get(KEY)?.metadata.uid).toBe('u2');
  await clock.advance(20_000);
  expect([server.lists, informers.get(KEY)?.metadata.uid]).toEqual([2, 'u2']);
  await informers.stop();
});

test('however many reads do not fit, a list is begun at most every ten seconds', async () => {
  const { clock, server, informers, store } = await open(copy('900'));
  for (let second = 0; second < 60; second += 1) {
    server.stored = copy(String(800 - second));
    await store.read(KEY);
    await clock.advance(1_000);
  }
  expect(server.lists).toBeGreaterThan(3);
  expect(server.lists).toBeLessThanOrEqual(7);
  await informers.stop();
});

describe('of what the watch tells', () => {
  async function withNews() {
    const opened = await open(copy('900'));
    const news: string[] = [];
    opened.store.onNews((key) => news.push(key));
    return { ...opened, news };
  }

  test('our own write is no news, and what another has stored afterwards is', async () => {
    const { clock, server, informers, store, news } = await withNews();
    await store.writeStatus(store.get(KEY)!, {});
    server.tell('MODIFIED', copy('901'));
    await clock.advance(0);
    expect([news, store.remembered]).toEqual([[], 0]);
    server.tell('MODIFIED', copy('902'));
    await clock.advance(0);
    expect(news).toEqual([KEY]);
    await informers.stop();
  });

  test('our own write is news where it is told before its answer has come', async () => {
    const { clock, server, informers, news } = await withNews();
    server.tell('MODIFIED', copy('901'));
    await clock.advance(0);
    expect(news).toEqual([KEY]);
    await informers.stop();
  });

  test('that it leaves by our own write is no news, that somebody has deleted it is', async () => {
    for (const [version, told] of [
      ['901', []],
      ['902', [KEY]],
    ] as const) {
      const { clock, server, informers, store, news } = await withNews();
      await store.writeStatus(store.get(KEY)!, {});
      server.tell('DELETED', copy(version));
      await clock.advance(0);
      expect([news, informers.size, store.remembered]).toEqual([told, 0, 0]);
      await informers.stop();
    }
  });

  test('another object of its name is news, also under the same version', async () => {
    const { clock, server, informers, store, news } = await withNews();
    await store.writeStatus(store.get(KEY)!, {});
    server.tell('ADDED', copy('901', 'u2'));
    await clock.advance(0);
    expect(news).toEqual([KEY]);
    await informers.stop();
  });
});
