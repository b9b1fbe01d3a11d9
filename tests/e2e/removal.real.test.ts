/**
 * What has ended is removed by the controller's own account after its minute, and nothing else is, whoever else is at it.
 *
 * The minutes here have long passed, so that nobody waits for one: how time passes is remover.test.ts's.
 */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { OrderTransaction, OrderTransactionStatus } from '../../crds/generated/ordertransaction.ts';
import { loadKubeConfig } from '../../controller/src/kubernetes/credentials.ts';
import { ApiRestingTransactions } from '../../controller/src/kubernetes/resting-transactions.ts';
import { pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import { HttpTransport } from '../../controller/src/kubernetes/transport.ts';
import { Remover } from '../../controller/src/removal/remover.ts';
import { systemClock } from '../../controller/src/runtime/clock.ts';
import { silentLog } from '../../controller/src/runtime/log.ts';
import { waitFor } from '../../local/deadline.ts';
import { createTransaction, expectOk, adminTransport } from '../world/api-client.ts';
import { samplesOf, sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';

const PASSED = '2026-01-01T00:05Z';
const DECIDED = { decision: 'Confirm', decisionReason: 'AllTried' } as const;
/** A Lease that nobody renews is taken over after up to 14 s, and who removes looks every 10 s. */
const DEADLINE_MS = 60_000;

let shop: Shop;
const admin = adminTransport();
let account: HttpTransport;
const removers: Remover[] = [];

beforeAll(async () => {
  shop = await openShop('removal');
  account = new HttpTransport({ kubeConfig: loadKubeConfig(shop.access.controllerKubeconfig), userAgent: 'test' });
}, 120_000);
beforeEach(async () => {
  const path = pathOf(TRANSACTIONS, shop.namespace);
  for (const { metadata } of await shop.transactions()) {
    const abandon = { metadata: { annotations: { 'ordertx.dev/abandon': 'of another test' } } };
    await expectOk(admin, { method: 'PATCH', path: `${path}/${metadata.name}`, body: abandon });
    await expectOk(admin, { method: 'DELETE', path: `${path}/${metadata.name}` });
  }
});
afterEach(async () => {
  await Promise.all(removers.splice(0).map((remover) => remover.stop()));
});
afterAll(async () => {
  await account.close();
  await admin.close();
  await shop.close();
}, 60_000);

async function write(transaction: OrderTransaction, status: OrderTransactionStatus): Promise<OrderTransaction> {
  const path = `${pathOf(TRANSACTIONS, shop.namespace, transaction.metadata.name)}/status`;
  return expectOk(admin, { method: 'PUT', path, body: { ...transaction, status } });
}

/** A transaction as it lies there in the end; without `expires` it waits for something still. */
async function ended(name: string, expires: string | undefined = PASSED): Promise<OrderTransaction> {
  const created = await createTransaction(admin, shop.namespace, name);
  const begun = await write(created, {
    phase: 'Confirming',
    ...DECIDED,
    branches: [{ name: 'order', state: 'Tried' }],
  });
  const branches = [{ name: 'order', state: 'Confirmed' }] as const;
  return write(begun, { phase: 'Succeeded', ...DECIDED, branches, ...(expires && { expires }) });
}

/** An order whose customer is still to be told. */
async function untold(name: string): Promise<OrderTransaction> {
  const created = await createTransaction(admin, shop.namespace, name);
  const messages = [{ name: 'sms', delivery: 'BestEffort', state: 'Pending' }] as const;
  const branches = (state: 'Tried' | 'Confirmed') => [{ name: 'order', state }] as const;
  const begun = await write(created, { phase: 'Confirming', ...DECIDED, branches: branches('Tried'), messages });
  return write(begun, { phase: 'Succeeded', ...DECIDED, branches: branches('Confirmed'), messages });
}

function startRemover(): Remover {
  const remover = new Remover({
    resting: new ApiRestingTransactions(account, [shop.namespace]),
    ...{ isOurs: () => true, perSecond: 200, clock: systemClock, apiClock: systemClock, log: silentLog },
  });
  removers.push(remover);
  remover.start();
  return remover;
}

const names = async () => (await shop.transactions()).map(({ metadata }) => metadata.name).toSorted();
const untilThereAre = (left: readonly string[]) =>
  waitFor(async () => JSON.stringify(await names()) === JSON.stringify(left), {
    ...{ what: `${left.join(', ')} to be left`, deadlineMs: DEADLINE_MS },
  });

test('two at once remove all that is through; what is not, or not yet due, stays', async () => {
  for (let number = 0; number < 40; number += 1) await ended(`ended-${number}`);
  await ended('later', '2126-01-01T00:05Z');
  await untold('untold');
  await createTransaction(admin, shop.namespace, 'new');
  const faulty = await createTransaction(admin, shop.namespace, 'faulty');
  await write(faulty, { expires: PASSED });
  startRemover();
  startRemover();
  await untilThereAre(['faulty', 'later', 'new', 'untold']);
});

test('one that was put under the same name, or was changed, since it was looked at is not removed', async () => {
  const resting = new ApiRestingTransactions(account, [shop.namespace]);
  const first = await ended('again');
  await expectOk(admin, { method: 'DELETE', path: pathOf(TRANSACTIONS, shop.namespace, 'again') });
  const second = await ended('again');
  expect(await resting.remove(first)).toEqual({ kind: 'changed' });
  const annotated = await expectOk<OrderTransaction>(admin, {
    ...{ method: 'PATCH', path: pathOf(TRANSACTIONS, shop.namespace, 'again') },
    body: { metadata: { annotations: { note: 'by a person' } } },
  });
  expect(await resting.remove(second)).toEqual({ kind: 'changed' });
  expect(await names()).toEqual(['again']);
  expect(await resting.remove(annotated)).toEqual({ kind: 'removed' });
  expect(await resting.remove(annotated)).toEqual({ kind: 'removed' });
});

test('a minute is removed at once, so many at a time, and unfinished ones are refused', async () => {
  const resting = new ApiRestingTransactions(account, [shop.namespace]);
  for (let number = 0; number < 5; number += 1) await ended(`ended-${number}`);
  await ended('of-another-minute', '2026-01-01T00:06Z');
  expect(await resting.removeMinute(shop.namespace, PASSED, 3)).toEqual({ kind: 'removed', removed: 3, more: true });
  expect(await resting.removeMinute(shop.namespace, PASSED, 3)).toEqual({ kind: 'removed', removed: 2, more: false });
  expect(await resting.removeMinute(shop.namespace, PASSED, 3)).toEqual({ kind: 'removed', removed: 0, more: false });
  const faulty = await createTransaction(admin, shop.namespace, 'faulty');
  await write(faulty, { expires: PASSED });
  expect(await resting.removeMinute(shop.namespace, PASSED, 3)).toMatchObject({ kind: 'refused' });
  expect(await names()).toEqual(['faulty', 'of-another-minute']);
});

/** Resolves once every removal of this namespace's transactions asks a webhook that never answers. */
async function guardWithNobody(resting: ApiRestingTransactions): Promise<() => Promise<void>> {
  const hanging = createServer((socket) => void socket.on('error', () => undefined));
  hanging.listen(0, '127.0.0.1');
  await once(hanging, 'listening');
  const { port } = hanging.address() as AddressInfo;
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
  const name = `${shop.namespace}.ordertx.dev`;
  const webhook = {
    ...{ name, failurePolicy: 'Fail', sideEffects: 'None', admissionReviewVersions: ['v1'] },
    clientConfig: { url: `https://127.0.0.1:${port}/` },
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': shop.namespace } },
    rules: [
      { operations: ['DELETE'], apiGroups: ['ordertx.dev'], apiVersions: ['*'], resources: ['ordertransactions'] },
    ],
  };
  const body = {
    ...{ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata: { name } },
    webhooks: [webhook],
  };
  await expectOk(admin, { method: 'POST', path, body });
  let probes = 0;
  const isAsked = async (): Promise<boolean> =>
    (await resting.remove(await ended(`probe-${(probes += 1)}`))).kind !== 'removed';
  await waitFor(isAsked, { what: 'the API server to know of the webhook', deadlineMs: DEADLINE_MS });
  return async () => {
    await expectOk(admin, { method: 'DELETE', path: `${path}/${name}` });
    hanging.close();
  };
}

test('where a namespace’s webhook hangs, its transactions are refused', async () => {
  const resting = new ApiRestingTransactions(account, [shop.namespace]);
  const release = await guardWithNobody(resting);
  const transaction = await ended('guarded');
  const refused = { kind: 'refused', message: expect.stringContaining('failed calling webhook') };
  const [one, several] = [resting.remove(transaction), resting.removeMinute(shop.namespace, PASSED, 3)];
  try {
    expect(await Promise.all([one, several])).toEqual([refused, refused]);
  } finally {
    await release();
  }
  const isRemoved = async () => (await resting.remove(transaction)).kind === 'removed';
  await waitFor(isRemoved, { what: 'it to be removed without the webhook', deadlineMs: DEADLINE_MS });
}, 120_000);

test('of two controllers one removes; killed, the other goes on', async () => {
  await ended('before');
  const env = { ORDERTX_LEADER_ELECTION: 'on' };
  const both = [await shop.startController({ env }), await shop.startController({ env })];
  await untilThereAre([]);
  const page = async (url: string) => (await fetch(`${url}/metrics`)).text();
  const removals = () => Promise.all(both.map(async ({ url }) => sumOf(await page(url), 'ordertx_removals_total')));
  // A removal is counted when its answer has come: what is gone may not be counted yet.
  const removed = await waitFor(
    async () => {
      const counts = await removals();
      return counts.some((count) => count > 0) ? counts : undefined;
    },
    { what: 'the removal to be counted', deadlineMs: DEADLINE_MS },
  );
  expect(removed.toSorted()).toEqual([0, 1]);
  const [remover, other] = removed[0] === 1 ? both : [...both].reverse();
  if (remover === undefined || other === undefined) throw new Error('two were started');
  remover.part.process.kill('SIGKILL');
  await remover.part.process.exited;
  await ended('after');
  await untilThereAre([]);
  const isCounted = async () => sumOf(await page(other.url), 'ordertx_removals_total') > 0;
  await waitFor(isCounted, { what: 'its removal to be counted', deadlineMs: DEADLINE_MS });
  expect(samplesOf(await page(other.url), 'ordertx_removals_total')).toMatchObject([
    { labels: { result: 'removed' }, value: 1 },
  ]);
  expect(sumOf(await page(other.url), 'ordertx_removal_failing')).toBe(0);
}, 180_000);
