/** Status writes against a real API server: what each answer means, and that no stale copy is acted on. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { waitFor } from '../../../local/deadline.ts';
import { abandonTransaction, adminTransport, createTransaction, expectOk } from '../../../tests/world/api-client.ts';
import { startTcpProxy, type TcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../tests/world/world.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { settle } from '../runtime/manual-clock.ts';
import { Informers } from './informers.ts';
import { isNewer, keyOf, pathOf, resourceVersionOf, TRANSACTIONS } from './stored-object.ts';
import { ApiTransactionStore } from './transaction-store.ts';
import type { HttpTransport } from './transport.ts';

const direct = adminTransport();
let namespace: string;
/** In front of the store's reads and writes. */
let writes: TcpProxy;
/** In front of the informer's lists and watches. */
let watches: TcpProxy;
let writing: HttpTransport;
let watching: HttpTransport;
let informers: Informers<OrderTransaction>;
let store: ApiTransactionStore;

const trying: OrderTransactionStatus = { phase: 'Trying', branches: [{ name: 'order', state: 'Untried' }] };
const decided: OrderTransactionStatus = {
  phase: 'Confirming',
  decision: 'Confirm',
  decisionReason: 'AllTried',
  branches: [{ name: 'order', state: 'Tried' }],
};

const until = (what: string, ask: () => boolean) =>
  waitFor(async () => ask(), { what, deadlineMs: 15_000, everyMs: 10 });

/** Creates a transaction and waits until the store knows it. */
async function given(name: string): Promise<OrderTransaction> {
  const created = await createTransaction(direct, namespace, name, { payload: { lines: ['a'] } });
  await until(`${name} to be seen`, () => store.get(keyOf(created)) !== undefined);
  return store.get(keyOf(created))!;
}

beforeAll(async () => {
  const port = Number(new URL(world().apiServerUrl).port);
  [writes, watches] = await Promise.all([startTcpProxy(port), startTcpProxy(port)]);
});

beforeEach(async () => {
  namespace = await freshNamespace('store');
  writing = adminTransport(writes.port);
  watching = adminTransport(watches.port);
  const options = { transport: watching, clock: systemClock, log: silentLog };
  informers = new Informers<OrderTransaction>(TRANSACTIONS, [namespace], options);
  store = new ApiTransactionStore({ transport: writing, informers, clock: systemClock });
  informers.start();
  await informers.whenSynced();
});

afterEach(async () => {
  writes.heal();
  watches.heal();
  await informers.stop();
  await Promise.all([writing.close(), watching.close()]);
});

afterAll(async () => {
  await Promise.all([writes.close(), watches.close(), direct.close()]);
});

describe('a status write', () => {
  test('stores the status and leaves spec, metadata and their owners as they were', async () => {
    const transaction = await given('a');
    const before = await expectOk<OrderTransaction>(direct, {
      method: 'GET',
      path: pathOf(TRANSACTIONS, namespace, 'a'),
    });
    const result = await store.writeStatus(transaction, trying);
    expect(result.kind).toBe('stored');
    const after = await expectOk<OrderTransaction>(direct, {
      method: 'GET',
      path: pathOf(TRANSACTIONS, namespace, 'a'),
    });
    expect(after.status).toEqual(trying);
    expect(after.spec).toEqual(before.spec);
    expect(after.metadata.generation).toBe(1);
    const ownersOf = (object: OrderTransaction) =>
      (object.metadata as unknown as { managedFields: object[] }).managedFields;
    expect(ownersOf(after)).toEqual(expect.arrayContaining(ownersOf(before)));
  });

  test('made from a copy that is not the stored one any more is a conflict', async () => {
    const stale = await given('a');
    await store.writeStatus(stale, trying);
    expect(await store.writeStatus(stale, decided)).toEqual({ kind: 'conflict' });
  });

  test('of an object that was deleted and made again under the same name is a conflict', async () => {
    const first = await given('a');
    await abandonTransaction(direct, namespace, 'a');
    const second = await createTransaction(direct, namespace, 'a');
    expect(await store.writeStatus(first, trying)).toEqual({ kind: 'conflict' });
    const forged = { ...second, metadata: { ...second.metadata, uid: first.metadata.uid! } };
    expect(await store.writeStatus(forged, trying)).toEqual({ kind: 'conflict' });
  });

  test('of an object that is gone says so', async () => {
    const transaction = await given('a');
    await abandonTransaction(direct, namespace, 'a');
    expect(await store.writeStatus(transaction, trying)).toEqual({ kind: 'gone' });
  });

  test('that breaks a rule of the API server is refused, with the rule’s sentence', async () => {
    const transaction = await given('a');
    const stored = await store.writeStatus(transaction, decided);
    if (stored.kind !== 'stored') throw new Error(stored.kind);
    const turned: OrderTransactionStatus = { ...decided, phase: 'Cancelling', decision: 'Cancel' };
    expect(await store.writeStatus(stored.transaction, turned)).toEqual({
      kind: 'refused',
      message: expect.stringContaining('write-once'),
    });
  });

  test('whose answer is lost is unknown, although it may have been stored', async () => {
    const transaction = await given('a');
    // So that the write needs no new connection, which could not be made any more.
    await Promise.all([1, 2, 3].map(() => store.read(keyOf(transaction))));
    // The pool takes a connection back a turn after its answer was read.
    await settle();
    // The store waits ten seconds for an answer; a connection that ends without one is the same to it.
    writes.break('answers-lost');
    const writing = store.writeStatus(transaction, trying);
    const path = pathOf(TRANSACTIONS, namespace, 'a');
    await waitFor(
      async () => (await expectOk<OrderTransaction>(direct, { method: 'GET', path })).status !== undefined,
      {
        what: 'the write to be stored',
        deadlineMs: 10_000,
      },
    );
    writes.heal();
    expect((await writing).kind).toBe('unknown');
    const read = await store.read(keyOf(transaction));
    expect(read.kind === 'found' && read.transaction.status).toEqual(trying);
  });

  test('to an API server that is away is unknown', async () => {
    const transaction = await given('a');
    writes.break('cut');
    expect((await store.writeStatus(transaction, trying)).kind).toBe('unknown');
  });
});

describe('what is known', () => {
  test('is our own last write while the watch has not told of it, and the watch’s copy afterwards', async () => {
    const transaction = await given('a');
    const key = keyOf(transaction);
    watches.break('answers-lost');
    const stored = await store.writeStatus(transaction, trying);
    if (stored.kind !== 'stored') throw new Error(stored.kind);
    expect(informers.get(key)!.status).toBeUndefined();
    expect(store.get(key)).toEqual(stored.transaction);
    expect(store.remembered).toBe(1);
    watches.heal();
    await until('the watch to catch up', () => informers.get(key)?.status !== undefined);
    expect(store.get(key)).toEqual(stored.transaction);
    expect(store.remembered).toBe(0);
  });

  test('is another’s later write as soon as the watch tells of it', async () => {
    const transaction = await given('a');
    const stored = await store.writeStatus(transaction, trying);
    if (stored.kind !== 'stored') throw new Error(stored.kind);
    const path = pathOf(TRANSACTIONS, namespace, 'a');
    const theirs = await expectOk<OrderTransaction>(direct, {
      method: 'PATCH',
      path,
      body: { spec: { suspend: true } },
    });
    await until('their write', () => store.get(keyOf(theirs))?.spec.suspend === true);
    expect(store.remembered).toBe(0);
  });

  test('goes only forward, while many writes and their echoes cross', async () => {
    let transaction = await given('a');
    const key = keyOf(transaction);
    let seen = resourceVersionOf(transaction);
    // Kept, and not thrown: the informer outlives a listener that throws.
    const wentBack: string[] = [];
    informers.onChange(() => {
      const now = resourceVersionOf(store.get(key)!);
      if (isNewer(seen, now)) wentBack.push(`from ${seen} to ${now}`);
      seen = now;
    });
    for (let i = 0; i < 50; i += 1) {
      const stored = await store.writeStatus(transaction, { ...trying, message: `try ${i}` });
      if (stored.kind !== 'stored') throw new Error(stored.kind);
      transaction = store.get(key)!;
      expect(transaction.status!.message).toBe(`try ${i}`);
    }
    await until('the last echo', () => store.remembered === 0);
    expect(wentBack).toEqual([]);
  });

  test('forgets a write when its object goes', async () => {
    const transaction = await given('a');
    watches.break('answers-lost');
    await store.writeStatus(transaction, trying);
    await abandonTransaction(direct, namespace, 'a');
    watches.heal();
    await until('the deletion', () => store.get(keyOf(transaction)) === undefined);
    expect(store.remembered).toBe(0);
  });
});

describe('a read', () => {
  test('finds what the watch has not told yet, and it becomes what is known', async () => {
    watches.break('answers-lost');
    const created = await createTransaction(direct, namespace, 'a');
    const key = keyOf(created);
    expect(store.get(key)).toBeUndefined();
    expect((await store.read(key)).kind).toBe('found');
    expect(store.get(key)!.metadata.uid).toBe(created.metadata.uid);
  });

  test('knows an object that is gone from an answer that did not come', async () => {
    expect(await store.read(`${namespace}/nobody`)).toEqual({ kind: 'absent' });
    writes.break('cut');
    expect((await store.read(`${namespace}/nobody`)).kind).toBe('unknown');
  });
});
