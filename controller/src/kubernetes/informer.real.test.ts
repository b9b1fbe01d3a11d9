/** The informer's copy is the API server's, whatever happens to the connection between. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { waitFor } from '../../../local/deadline.ts';
import { abandonTransaction, adminTransport, createTransaction, expectOk } from '../../../tests/world/api-client.ts';
import { startTcpProxy, type TcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../tests/world/world.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { Informer, type InformerOptions } from './informer.ts';
import { pathOf, TRANSACTIONS } from './stored-object.ts';
import type { ApiRequest, HttpTransport, Transport } from './transport.ts';

const direct = adminTransport();
let namespace: string;
let proxy: TcpProxy;
let transport: HttpTransport;
let informer: Informer<OrderTransaction> | undefined;
/** What the informer asked for: `list`, `watch from <version>`. */
const asked: string[] = [];

/** The transport as it is, writing down what goes through it. */
function noted(): Transport {
  return {
    host: transport.host,
    request: <T>(request: ApiRequest) => {
      asked.push(request.query === undefined ? 'read' : `list ${request.query.limit ?? ''}`);
      return transport.request<T>(request);
    },
    stream: (path, query, signal) => {
      asked.push(`watch from ${query.resourceVersion ?? ''}`);
      return transport.stream(path, query, signal);
    },
    close: () => transport.close(),
  };
}

function startInformer(options: Partial<InformerOptions> = {}): Informer<OrderTransaction> {
  const path = pathOf(TRANSACTIONS, namespace);
  informer = new Informer({ transport: noted(), path, clock: systemClock, log: silentLog, ...options });
  informer.start();
  return informer;
}

function changesOf(of: Informer<OrderTransaction>): string[] {
  const changes: string[] = [];
  of.onChange((key, object) => changes.push(`${key.split('/')[1]!} ${object === undefined ? 'gone' : 'there'}`));
  return changes;
}

const until = (what: string, ask: () => boolean) =>
  waitFor(async () => ask(), { what, deadlineMs: 15_000, everyMs: 10 });
const has = (name: string) => informer?.get(`${namespace}/${name}`) !== undefined;

beforeAll(async () => {
  proxy = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
});

beforeEach(async () => {
  namespace = await freshNamespace('informer');
  transport = adminTransport(proxy.port);
  asked.length = 0;
});

afterEach(async () => {
  proxy.heal();
  await informer?.stop();
  await transport.close();
});

afterAll(async () => {
  await direct.close();
  await proxy.close();
});

test('a collection of several pages is listed whole, and only then synced', async () => {
  for (let i = 0; i < 7; i += 1) await createTransaction(direct, namespace, `t${i}`);
  const started = startInformer({ pageObjectsMax: 3 });
  expect(started.synced).toBe(false);
  await started.whenSynced();
  expect([...started.list()].map(({ metadata }) => metadata.name).sort()).toEqual([
    't0',
    't1',
    't2',
    't3',
    't4',
    't5',
    't6',
  ]);
  expect(asked.filter((request) => request === 'list 3')).toHaveLength(3);
  expect([...started.list()][0]!.metadata).not.toHaveProperty('managedFields');
});

test('what is created, changed and deleted is told, with the object already in place', async () => {
  const started = startInformer();
  await started.whenSynced();
  const told: [string, boolean | undefined][] = [];
  started.onChange((key, object) => {
    expect(started.get(key)).toBe(object);
    told.push([key, object?.spec.suspend]);
  });
  await createTransaction(direct, namespace, 'a');
  const path = pathOf(TRANSACTIONS, namespace, 'a');
  await expectOk(direct, { method: 'PATCH', path, body: { spec: { suspend: true } } });
  await abandonTransaction(direct, namespace, 'a');
  const key = `${namespace}/a`;
  await until('the deletion', () => !has('a') && told.length === 4);
  expect(told).toEqual([
    [key, false],
    [key, true],
    [key, true],
    [key, undefined],
  ]);
});

describe('when the watch is cut', () => {
  test('it is resumed where it was, and misses nothing', async () => {
    const started = startInformer();
    await started.whenSynced();
    const changes = changesOf(started);
    await createTransaction(direct, namespace, 'before');
    await until('the first', () => has('before'));
    proxy.break('cut');
    await createTransaction(direct, namespace, 'while-away');
    await createTransaction(direct, namespace, 'gone-again');
    await abandonTransaction(direct, namespace, 'gone-again');
    proxy.heal();
    await until('what happened meanwhile', () => has('while-away') && changes.includes('gone-again gone'));
    expect(changes.slice(0, 3)).toEqual(['before there', 'while-away there', 'gone-again there']);
    expect(asked.filter((request) => request === 'list 500')).toHaveLength(1);
    const seen = started.get(`${namespace}/before`)!.metadata.resourceVersion!;
    expect(asked.slice(-2)).toEqual([`watch from ${seen}`, 'read']);
  });

  test('again and again, it still hears everything', async () => {
    const started = startInformer();
    await started.whenSynced();
    for (let i = 0; i < 5; i += 1) {
      proxy.cutOnce();
      await createTransaction(direct, namespace, `t${i}`);
      await until(`t${i}`, () => has(`t${i}`));
    }
    expect(started.size).toBe(5);
  });

  test('its age grows until it is back', async () => {
    const started = startInformer();
    await started.whenSynced();
    proxy.break('cut');
    await until('the age to grow', () => started.lastEventAgeMs() > 2_000);
    expect(started.stalledMs()).toBeLessThan(started.lastEventAgeMs());
    const awayMs = started.lastEventAgeMs();
    proxy.heal();
    await createTransaction(direct, namespace, 'a');
    await until('the age to fall', () => started.lastEventAgeMs() < awayMs);
  });
});

test('a connection that looks alive and says nothing is given up', async () => {
  const started = startInformer({ silenceMsMax: 1_000 });
  await started.whenSynced();
  await until('the watch', () => asked.some((request) => request.startsWith('watch')));
  // Before the creation, which may take as long as the silence does.
  const before = asked.length;
  proxy.break('answers-lost');
  await createTransaction(direct, namespace, 'unheard');
  await until('the silence to be noticed', () => asked.length > before);
  expect(has('unheard')).toBe(false);
  proxy.heal();
  await until('what was missed', () => has('unheard'));
});

test('a watch that the API server ends in time is followed by the next, without a list', async () => {
  const started = startInformer({ watchSeconds: 1 });
  await started.whenSynced();
  await until('three watches', () => asked.filter((request) => request.startsWith('watch')).length >= 3);
  await createTransaction(direct, namespace, 'later');
  await until('what came later', () => has('later'));
  expect(asked.filter((request) => request === 'list 500')).toHaveLength(1);
});

test('a listener that throws is reported and stops nothing', async () => {
  const errors: string[] = [];
  const started = startInformer({ log: { ...silentLog, error: (_fields, sentence) => errors.push(sentence) } });
  started.onChange(() => {
    throw new Error('bug');
  });
  const changes = changesOf(started);
  await started.whenSynced();
  await createTransaction(direct, namespace, 'a');
  await until('the change', () => changes.includes('a there'));
  expect(errors).toEqual(['a listener to changes threw: this is a bug']);
});

test('once stopped it tells nothing more and holds no connection', async () => {
  const started = startInformer();
  await started.whenSynced();
  await started.stop();
  const before = asked.length;
  const path = pathOf(TRANSACTIONS, namespace);
  const other = new Informer<OrderTransaction>({ transport: direct, path, clock: systemClock, log: silentLog });
  other.start();
  await other.whenSynced();
  await createTransaction(direct, namespace, 'a');
  await until('another to hear of it', () => other.get(`${namespace}/a`) !== undefined);
  await other.stop();
  expect([has('a'), asked.length]).toEqual([false, before]);
});
