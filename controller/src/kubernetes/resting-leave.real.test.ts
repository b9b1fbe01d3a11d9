/** What rests leaves the cache, and nothing is remembered of it; what still needs work stays, also when it is final. */
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { waitFor } from '../../../local/deadline.ts';
import { adminTransport, createTransaction, expectOk } from '../../../tests/world/api-client.ts';
import { freshNamespace } from '../../../tests/world/world.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { Informers } from './informers.ts';
import { keyOf, NEEDS_WORK_SELECTOR, pathOf, TRANSACTIONS } from './stored-object.ts';
import { ApiTransactionStore } from './transaction-store.ts';

const MANY = 60;
const DECIDED = { decision: 'Confirm', decisionReason: 'AllTried' } as const;
const confirming: OrderTransactionStatus = {
  ...{ phase: 'Confirming', ...DECIDED },
  branches: [{ name: 'order', state: 'Tried' }],
};
const ended: OrderTransactionStatus = {
  ...{ phase: 'Succeeded', ...DECIDED },
  branches: [{ name: 'order', state: 'Confirmed' }],
};
const resting: OrderTransactionStatus = { ...ended, expires: '2026-01-01T00:05Z' };

const transport = adminTransport();
let namespace: string;
let informers: Informers<OrderTransaction>;
let store: ApiTransactionStore;

const open = async (): Promise<void> => {
  const options = { transport, clock: systemClock, log: silentLog, fieldSelector: NEEDS_WORK_SELECTOR };
  informers = new Informers<OrderTransaction>(TRANSACTIONS, [namespace], options);
  store = new ApiTransactionStore({ transport, informers, clock: systemClock });
  informers.start();
  await informers.whenSynced();
};
beforeEach(async () => {
  namespace = await freshNamespace('resting');
  await open();
});
afterEach(() => informers.stop());
afterAll(() => transport.close());

const until = (what: string, ask: () => boolean) =>
  waitFor(async () => ask(), { what, deadlineMs: 15_000, everyMs: 10 });

async function written(transaction: OrderTransaction, status: OrderTransactionStatus): Promise<OrderTransaction> {
  const result = await store.writeStatus(transaction, status);
  if (result.kind !== 'stored') throw new Error(result.kind);
  return result.transaction;
}

test('ended ones leave the cache, whichever comes first, the watch or the answer, and are remembered no longer', async () => {
  const gone = new Set<string>();
  informers.onChange((key, transaction) => transaction === undefined && gone.add(key));
  const lane = async (index: number): Promise<void> => {
    const created = await createTransaction(transport, namespace, `t-${index}`);
    await until('it to be seen', () => store.get(keyOf(created)) !== undefined);
    const stored = await written(await written(created, confirming), resting);
    // Never an older copy than our own write (S2), as long as there is one.
    expect([undefined, resting.expires]).toContain(store.get(keyOf(stored))?.status?.expires);
    expect(store.get(keyOf(stored))?.status?.phase ?? 'Succeeded').toBe('Succeeded');
  };
  await Promise.all(Array.from({ length: MANY }, (_, index) => lane(index)));
  await until('all to be gone', () => gone.size === MANY);
  expect([informers.size, store.remembered]).toEqual([0, 0]);
});

test('one that is final and has messages to send stays until they are through', async () => {
  const created = await createTransaction(transport, namespace, 'untold');
  await until('it to be seen', () => store.get(keyOf(created)) !== undefined);
  const stored = await written(await written(created, confirming), ended);
  await until('its end to be seen', () => informers.get(keyOf(created))?.status?.phase === 'Succeeded');
  await written(stored, resting);
  await until('it to be gone', () => informers.size === 0);
});

test('one that another replica has ended, and a person has changed since, is read and not remembered', async () => {
  const created = await createTransaction(transport, namespace, 'annotated');
  await until('it to be seen', () => store.get(keyOf(created)) !== undefined);
  await written(await written(created, confirming), resting);
  await until('it to be gone', () => informers.size === 0);
  await expectOk(transport, {
    ...{ method: 'PATCH', path: pathOf(TRANSACTIONS, namespace, 'annotated') },
    body: { metadata: { annotations: { note: 'by a person' } } },
  });
  expect(await store.writeStatus(created, confirming)).toEqual({ kind: 'conflict' });
  const read = await store.read(keyOf(created));
  expect(read).toMatchObject({ kind: 'found', transaction: { status: { expires: resting.expires } } });
  expect([store.get(keyOf(created)), store.remembered]).toEqual([undefined, 0]);
});

test('those that rest are in no first list either', async () => {
  const created = await createTransaction(transport, namespace, 'old');
  await until('it to be seen', () => store.get(keyOf(created)) !== undefined);
  await written(await written(created, confirming), resting);
  await createTransaction(transport, namespace, 'new');
  await informers.stop();
  await open();
  expect([...informers.list()].map(({ metadata }) => metadata.name)).toEqual(['new']);
});
