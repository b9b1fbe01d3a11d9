/** Flows on a real API server, seen by a watch that is late: what is stored counts, and no transaction is told that its flow is missing. */
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { waitFor } from '../../../local/deadline.ts';
import { adminTransport, createFlow, createTransaction, expectOk } from '../../../tests/world/api-client.ts';
import { recordTransactions } from '../../../tests/world/recorder.ts';
import { freshNamespace } from '../../../tests/world/world.ts';
import type { Participants } from '../reconcile/ports.ts';
import { Reconciler } from '../reconcile/reconciler.ts';
import { delay, systemClock as clock } from '../runtime/clock.ts';
import { silentLog as log } from '../runtime/log.ts';
import { WorkQueue } from '../runtime/work-queue.ts';
import { findCondition } from '../transaction/conditions.ts';
import { FLOW_FINALIZER } from '../transaction/phase.ts';
import { InformedFlowStore } from './flow-store.ts';
import { Informers } from './informers.ts';
import { FLOWS, keyOf, pathOf, TRANSACTIONS } from './stored-object.ts';
import { ApiTransactionStore } from './transaction-store.ts';
import type { Transport } from './transport.ts';

const direct = adminTransport();
const stopping = new AbortController();
/** Every line of a watch of flows comes this late, and none while they are held back. */
let lateMs = 0;
let held: Promise<unknown> = Promise.resolve();
let letGo = (): void => undefined;

function holdBack(): void {
  held = new Promise<void>((resolve) => (letGo = resolve));
}

async function* late(lines: AsyncIterable<string>): AsyncIterable<string> {
  for await (const line of lines) {
    await held;
    await delay(clock, lateMs, stopping.signal);
    yield line;
  }
}

const lateTransport: Transport = {
  host: direct.host,
  request: (request) => direct.request(request),
  stream: async (path, query, signal) => {
    const answer = await direct.stream(path, query, signal);
    return answer.kind === 'ok' ? { kind: 'ok', body: late(answer.body) } : answer;
  },
  close: () => direct.close(),
};

const everybodyAgrees: Participants = {
  health: () => ({ downForMs: undefined, revivals: 0 }),
  async call(request) {
    if (request.current() === undefined) return { kind: 'withdrawn' };
    request.sent();
    return { kind: 'succeeded' };
  },
};

let namespace: string;
let flowInformers: Informers<TransactionFlow>;
let transactions: Informers<OrderTransaction>;
let flows: InformedFlowStore;

const until = (what: string, ask: () => boolean) =>
  waitFor(async () => ask(), { what, deadlineMs: 30_000, everyMs: 10 });

async function createKeptFlow(name: string): Promise<TransactionFlow> {
  await createFlow(direct, namespace, name);
  return changeFlow(name, { metadata: { finalizers: [FLOW_FINALIZER] } });
}

function changeFlow(name: string, body: object): Promise<TransactionFlow> {
  return expectOk<TransactionFlow>(direct, { method: 'PATCH', path: pathOf(FLOWS, namespace, name), body });
}

beforeEach(async () => {
  lateMs = 0;
  namespace = await freshNamespace('flow-store');
  flowInformers = new Informers<TransactionFlow>(FLOWS, [namespace], { transport: lateTransport, clock, log });
  transactions = new Informers<OrderTransaction>(TRANSACTIONS, [namespace], { transport: direct, clock, log });
  flows = new InformedFlowStore({ transport: direct, informers: flowInformers, clock });
  flowInformers.start();
  transactions.start();
  await Promise.all([flowInformers.whenSynced(), transactions.whenSynced()]);
});

afterEach(async () => {
  letGo();
  await Promise.all([flowInformers.stop(), transactions.stop()]);
});

afterAll(async () => {
  stopping.abort();
  await direct.close();
});

function startLoop(): { readonly drain: () => Promise<unknown> } {
  const queue = new WorkQueue({
    ...{ name: 'test', workersMax: 8, clock },
    handle: (key) => reconciler.reconcile(key),
    onPanic: (_key, error) => {
      throw error;
    },
  });
  const reconciler: Reconciler = new Reconciler({
    transactions: new ApiTransactionStore({ transport: direct, informers: transactions, clock }),
    flows,
    participants: everybodyAgrees,
    messages: { publish: async () => ({ kind: 'published' }), ended: async () => undefined, away: undefined },
    events: { warn: () => undefined },
    ownership: { owns: () => true },
    schedule: {
      soon: (key) => queue.add(key),
      inTurn: (key) => queue.add(key, 'routine'),
      after: (key, delayMs) => queue.addAfter(key, delayMs),
      forget: (key) => queue.forget(key),
    },
    observer: {
      takenUp: () => ({ statusWritten: () => undefined, stored: () => undefined }),
      statusRefused: () => undefined,
    },
    clock,
    random: Math.random,
    stopping: stopping.signal,
  });
  transactions.onChange((key) => queue.add(key));
  flows.onChange((_namespace, name) => {
    for (const transaction of transactions.list()) if (transaction.spec.flow === name) queue.add(keyOf(transaction));
  });
  queue.start();
  return { drain: () => queue.drain(10_000) };
}

test('a transaction created right after its flow is never Stuck, though the watch of flows is late', async () => {
  lateMs = 50;
  const names = Array.from({ length: 30 }, (_, number) => `new-${number}`);
  const recorder = await recordTransactions(namespace);
  const loop = startLoop();
  await Promise.all(
    names.map(async (name) => {
      await createKeptFlow(name);
      await createTransaction(direct, namespace, name, { flow: name });
    }),
  );
  const seen = (name: string) => recorder.versions.get(name) ?? [];
  await until('all to be through', () => names.every((name) => seen(name).at(-1)?.status?.phase === 'Succeeded'));
  expect(names.filter((name) => seen(name).some(({ status }) => findCondition(status, 'Stuck')))).toEqual([]);
  await loop.drain();
  await recorder.stop();
});

test('what was read counts until the watch tells of that version, and the watch from then on', async () => {
  lateMs = 300;
  holdBack();
  await createKeptFlow('read');
  expect(flows.get(namespace, 'read')).toBeUndefined();
  expect(await flows.read(namespace, 'read')).toBe(true);
  expect(flows.get(namespace, 'read')?.metadata.finalizers).toEqual([FLOW_FINALIZER]);
  letGo();
  await until('the creation to be heard of', () => flowInformers.get(`${namespace}/read`) !== undefined);
  // The creation, and not yet the finalizer.
  expect(flows.get(namespace, 'read')?.metadata.finalizers).toEqual([FLOW_FINALIZER]);
  await changeFlow('read', { spec: { timeoutSeconds: 77 } });
  await until('the change to be heard of', () => flows.get(namespace, 'read')?.spec.timeoutSeconds === 77);
  await changeFlow('read', { metadata: { finalizers: null } });
  await expectOk(direct, { method: 'DELETE', path: pathOf(FLOWS, namespace, 'read') });
  await until('the deletion to be heard of', () => flows.get(namespace, 'read') === undefined);
});

test('a flow that is not there is known not to be; an API server that does not answer says nothing', async () => {
  expect(await flows.read(namespace, 'none')).toBe(true);
  expect(flows.get(namespace, 'none')).toBeUndefined();
  const silent: Transport = {
    ...lateTransport,
    request: async () => ({ kind: 'unanswered', message: 'no answer' }),
  };
  const unanswered = new InformedFlowStore({ transport: silent, informers: flowInformers, clock });
  expect(await unanswered.read(namespace, 'none')).toBe(false);
});
