/** A flow stays until what was begun under it has ended, and goes then. */
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { waitFor } from '../../../local/deadline.ts';
import { adminTransport, createFlow, createTransaction, expectOk } from '../../../tests/world/api-client.ts';
import { freshNamespace } from '../../../tests/world/world.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { FLOW_FINALIZER } from '../transaction/phase.ts';
import { FlowFinalizer } from './flow-finalizer.ts';
import { Informers } from './informers.ts';
import { FLOWS, pathOf, TRANSACTIONS } from './stored-object.ts';
import type { ApiRequest, Transport } from './transport.ts';

const direct = adminTransport();
let namespace: string;
let flows: Informers<TransactionFlow>;
let transactions: Informers<OrderTransaction>;
const finalizers: FlowFinalizer[] = [];
/** Lists of transactions that a finalizer asked the API server for and has had. */
let looks = 0;
/** Finalizers that were asked to be taken off; what follows from a look is asked for before anybody sees that look counted. */
let takenOff = 0;

const noted: Transport = {
  host: direct.host,
  request: async <T>(request: ApiRequest) => {
    const { finalizers } = (request.body as Partial<TransactionFlow> | undefined)?.metadata ?? {};
    if (finalizers?.includes(FLOW_FINALIZER) === false) takenOff += 1;
    const answer = await direct.request<T>(request);
    if (request.query?.fieldSelector !== undefined) looks += 1;
    return answer;
  },
  stream: (path, query, signal) => direct.stream(path, query, signal),
  close: () => direct.close(),
};

const until = (what: string, ask: () => boolean | Promise<boolean>) =>
  waitFor(async () => ask(), { what, deadlineMs: 15_000, everyMs: 10 });

async function storedFlow(name: string): Promise<TransactionFlow | undefined> {
  const answer = await direct.request<TransactionFlow>({ method: 'GET', path: pathOf(FLOWS, namespace, name) });
  return answer.kind === 'ok' ? answer.body : undefined;
}

async function keptFlow(name: string): Promise<void> {
  await createFlow(direct, namespace, name);
  await until(
    'the finalizer',
    async () => (await storedFlow(name))?.metadata.finalizers?.includes(FLOW_FINALIZER) === true,
  );
}

const deleteFlow = (name: string) => expectOk(direct, { method: 'DELETE', path: pathOf(FLOWS, namespace, name) });

async function writeStatus(name: string, status: OrderTransactionStatus): Promise<void> {
  const path = pathOf(TRANSACTIONS, namespace, name);
  const stored = await expectOk<OrderTransaction>(direct, { method: 'GET', path });
  await expectOk(direct, { method: 'PUT', path: `${path}/status`, body: { ...stored, status } });
}

async function end(name: string): Promise<void> {
  const decision = { decision: 'Confirm', decisionReason: 'AllTried' } as const;
  await writeStatus(name, { phase: 'Confirming', ...decision, branches: [{ name: 'order', state: 'Tried' }] });
  const ended = { phase: 'Succeeded', ...decision, branches: [{ name: 'order', state: 'Confirmed' }] } as const;
  await writeStatus(name, ended);
  await writeStatus(name, { ...ended, expires: '2026-01-01T00:05Z' });
}

/** Creation and deletion are told apart by whole seconds. */
const untilNextSecond = () => {
  const second = Math.floor(Date.now() / 1000);
  return until('the next second', () => Math.floor(Date.now() / 1000) > second);
};

async function startFinalizer(recheckMs = 60_000): Promise<void> {
  const informerOptions = { transport: direct, clock: systemClock, log: silentLog };
  flows = new Informers<TransactionFlow>(FLOWS, [namespace], informerOptions);
  transactions = new Informers<OrderTransaction>(TRANSACTIONS, [namespace], informerOptions);
  const options = { transport: noted, flows, transactions, clock: systemClock, log: silentLog, recheckMs };
  // Two, as with two replicas.
  finalizers.push(new FlowFinalizer(options), new FlowFinalizer(options));
  flows.start();
  transactions.start();
  await Promise.all([flows.whenSynced(), transactions.whenSynced()]);
  for (const finalizer of finalizers) finalizer.start();
}

beforeEach(async () => {
  namespace = await freshNamespace('finalizer');
  looks = takenOff = 0;
});

afterEach(async () => {
  await Promise.all(finalizers.splice(0).map((finalizer) => finalizer.stop(5_000)));
  await Promise.all([flows.stop(), transactions.stop()]);
});

afterAll(() => direct.close());

test('every flow is kept, and one that nothing uses goes when it is deleted', async () => {
  await startFinalizer();
  await keptFlow('unused');
  await deleteFlow('unused');
  await until('the flow to go', async () => (await storedFlow('unused')) === undefined);
});

test('a flow in use stays until its last transaction has ended', async () => {
  await startFinalizer();
  await keptFlow('used');
  await createTransaction(direct, namespace, 'first', { flow: 'used' });
  await createTransaction(direct, namespace, 'second', { flow: 'used' });
  await createTransaction(direct, namespace, 'other', { flow: 'another' });
  await untilNextSecond();
  await deleteFlow('used');
  // The end is heard by another watch than the deletion: heard before it, it would be no reason to look.
  await until('both to look at what is deleted', () => looks >= 2);
  await end('first');
  await until('both to look after the first end', () => looks >= 4);
  expect(takenOff).toBe(0);
  expect((await storedFlow('used'))?.metadata.finalizers).toEqual([FLOW_FINALIZER]);
  await end('second');
  await until('the flow to go', async () => (await storedFlow('used')) === undefined);
});

test('transactions created after the deletion hold it until it is stored that they wait, and those that were begun to their end', async () => {
  await startFinalizer(500);
  await keptFlow('going');
  await createTransaction(direct, namespace, 'before', { flow: 'going' });
  await untilNextSecond();
  await deleteFlow('going');
  for (const name of ['after', 'begun']) await createTransaction(direct, namespace, name, { flow: 'going' });
  await end('before');
  const before = looks;
  await until('looks after the end', () => looks >= before + 4);
  expect(await storedFlow('going')).toBeDefined();
  await writeStatus('after', { branches: [{ name: 'order', state: 'Untried', attempts: 0 }] });
  await end('begun');
  await until('the flow to go', async () => (await storedFlow('going')) === undefined);
});

test('a flow of which the cache knows no transaction is still asked for at the API server', async () => {
  await startFinalizer(200);
  await keptFlow('used');
  await transactions.stop();
  await createTransaction(direct, namespace, 'unseen', { flow: 'used' });
  await untilNextSecond();
  await deleteFlow('used');
  await until('some looks', () => looks >= 6);
  expect(transactions.size).toBe(0);
  expect(await storedFlow('used')).toBeDefined();
  await end('unseen');
  await until('the flow to go', async () => (await storedFlow('used')) === undefined);
});

test('the finalizers of others are left alone', async () => {
  await startFinalizer();
  await keptFlow('shared');
  const path = pathOf(FLOWS, namespace, 'shared');
  await expectOk(direct, {
    method: 'PATCH',
    path,
    body: { metadata: { finalizers: [FLOW_FINALIZER, 'example.com/theirs'] } },
  });
  await deleteFlow('shared');
  await until(
    'ours to go',
    async () => (await storedFlow('shared'))?.metadata.finalizers?.join() === 'example.com/theirs',
  );
  await expectOk(direct, { method: 'PATCH', path, body: { metadata: { finalizers: null } } });
});

test('a finalizer that somebody took off a living flow is put back', async () => {
  await startFinalizer();
  await keptFlow('kept');
  const path = pathOf(FLOWS, namespace, 'kept');
  await expectOk(direct, { method: 'PATCH', path, body: { metadata: { finalizers: null } } });
  await until(
    'it to be back',
    async () => (await storedFlow('kept'))?.metadata.finalizers?.includes(FLOW_FINALIZER) === true,
  );
});
