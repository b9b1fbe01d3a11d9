/**
 * The rehearsal of a new API version: v1beta1 comes beside v1alpha1, with the same schema, while transactions of every phase are stored
 * and controllers carry them on; it becomes the storage version, all objects are stored anew, and v1alpha1 goes. Nothing is lost.
 *
 * The steps stand in docs/operating/api-version.md; each test here begins where the one before ended.
 */
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { migrate } from '../../controller/cli/migrate.ts';
import type { HttpTransport } from '../../controller/src/kubernetes/transport.ts';
import type { OrderTransaction, Phase } from '../../crds/generated/ordertransaction.ts';
import type { ApiServer } from '../../local/control-plane/api.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { storedTransactions } from '../chaos/api-server-etcd.ts';
import { adminTransport } from '../world/api-client.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { someoneWith } from './someone.ts';
import { adminAccess, verdictOf } from './stored-transaction.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SETUP_MS = 120_000;
const TEST_MS = 90_000;
const DEADLINE_MS = 30_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
const GONE = { skuId: 'gone', quantity: 1, unitPriceCents: 450 };
const NOWHERE = 'http://127.0.0.1:9';
const ALPHA = 'v1alpha1';
const BETA = 'v1beta1';
type Version = typeof ALPHA | typeof BETA;
const CRDS = ['ordertransaction', 'transactionflow'] as const;

let own: OwnControlPlane;
let shop: Shop;
let admin: ApiServer;
let [alice, carol]: readonly ApiServer[] = [];
let transport: HttpTransport;
/** Takes every try; confirms and cancels only once it is well. */
let half: { readonly server: Server; readonly url: string; isWell: boolean };
let nextRelease: string;
const controllers: RunningController[] = [];
/** What was there before anything was changed, by name. */
let before: ReadonlyMap<string, OrderTransaction>;

beforeAll(async () => {
  half = await participant();
  nextRelease = releaseThatSpeaks(BETA);
  own = await openControlPlane();
  ({ admin } = own);
  shop = await openShop('versions', { cluster: own.cluster });
  transport = adminTransport(undefined, own.cluster.kubeconfig);
  const access = adminAccess(own.cluster);
  alice = await someoneWith(access, 'default', 'alice', 'get', 'patch', 'suspend', 'settle', 'cancel');
  carol = await someoneWith(access, 'default', 'carol', 'get', 'patch');
  await shop.stock('tea', 100);
  await shop.stock('gone', 0);
  await shop.applyFlow();
  await shop.putFlow('half', { origins: { inventory: half.url }, timeoutSeconds: 3_600 });
  await shop.putFlow('silent', { origins: { inventory: NOWHERE }, timeoutSeconds: 3_600 });
  await shop.putFlow('unheard', { origins: { inventory: shop.origins.inventory ?? '' }, stuckAfterSeconds: 1 });
  const messages = [{ name: 'lock', when: 'Confirmed', stream: 'nobody', type: 'stock.lock', delivery: 'Reliable' }];
  await admin.request('PATCH', shop.pathOf('transactionflows', 'unheard'), { spec: { messages } });
  controllers.push(await startController());
}, SETUP_MS);
afterAll(async () => {
  await shop.close();
  await Promise.all([transport.close(), alice?.close(), carol?.close()]);
  await own.close();
  half.server.closeAllConnections();
  half.server.close();
  rmSync(nextRelease, { recursive: true, force: true });
}, TEST_MS);

async function participant(): Promise<typeof half> {
  const made = { server: createServer(), url: '', isWell: false };
  made.server.on('request', (request: { url?: string }, response: ServerResponse) => {
    const operation = request.url?.split('/').at(-1) ?? '';
    const state = { try: 'Tried', confirm: 'Confirmed', cancel: 'Cancelled' }[operation];
    const answers = operation === 'try' || made.isWell;
    response.writeHead(answers ? 200 : 503, answers && state !== undefined ? { 'ordertx-state': state } : {}).end();
  });
  await new Promise<void>((done) => made.server.listen(0, '127.0.0.1', done));
  made.url = `http://127.0.0.1:${(made.server.address() as AddressInfo).port}`;
  return made;
}

/** The controller as the release after this one would have it: the same, but for the version that it speaks. */
function releaseThatSpeaks(version: Version): string {
  const folder = mkdtempSync(join(tmpdir(), 'ordertx-release-'));
  for (const part of ['controller', 'services', 'crds', 'package.json', 'tsconfig.json'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'controller/src/kubernetes/stored-object.ts');
  const source = readFileSync(file, 'utf8');
  writeFileSync(file, source.replaceAll(`version: '${ALPHA}'`, `version: '${version}'`));
  return folder;
}

function startController(release?: string): Promise<RunningController> {
  const allowEndpoints = [...Object.values(shop.origins), half.url, NOWHERE];
  return shop.startController({ allowEndpoints, ...(release !== undefined && { release }) });
}

const collection = (version: Version, plural = 'ordertransactions') =>
  `/apis/ordertx.dev/${version}/namespaces/default/${plural}`;
const crdPath = (crd: (typeof CRDS)[number]) =>
  `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd}s.ordertx.dev`;

interface Served {
  readonly name: Version;
  readonly served?: boolean;
  readonly storage?: boolean;
}

/** Gives both CRDs these versions, each with the schema, columns and selectable fields of crds/*.yaml. */
async function setVersions(...versions: readonly Served[]): Promise<void> {
  for (const crd of CRDS) {
    const file = readFileSync(join(ROOT, 'crds', `${crd}.yaml`), 'utf8');
    const [version] = (parse(file) as { spec: { versions: readonly object[] } }).spec.versions;
    const all = versions.map((each) => ({ ...version, served: true, storage: false, ...each }));
    const answer = await admin.request('PATCH', crdPath(crd), { spec: { versions: all } });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  }
  for (const { name, served = true } of versions) {
    await waitFor(async () => ((await admin.request('GET', collection(name))).status === 200) === served, {
      what: `${name} to be ${served ? 'served' : 'served no more'}`,
      deadlineMs: DEADLINE_MS,
    });
    if (served) await fillsNamesIn(name);
  }
}

/** An API server learns within some seconds to mutate in a version that is new to it, and answers 503 until then. */
async function fillsNamesIn(version: Version): Promise<void> {
  const path = `${collection(version)}/${begun.trying ?? ''}?dryRun=All`;
  await waitFor(async () => (await admin.request('PATCH', path, { spec: { suspend: true } })).status === 200, {
    what: `names to be filled in in ${version}`,
    deadlineMs: DEADLINE_MS,
  });
}

async function read(name: string, version: Version): Promise<OrderTransaction> {
  const { status, body } = await admin.request('GET', `${collection(version)}/${name}`);
  if (status !== 200) throw new Error(`${name} in ${version}: ${status} ${JSON.stringify(body)}`);
  return body as OrderTransaction;
}

async function list(version: Version, selector = ''): Promise<readonly OrderTransaction[]> {
  const path = `${collection(version)}?fieldSelector=${encodeURIComponent(selector)}`;
  return ((await admin.request('GET', path)).body as { readonly items: readonly OrderTransaction[] }).items;
}

async function reaches(name: string, phase: Phase, version: Version = ALPHA): Promise<OrderTransaction> {
  return waitFor(
    async () => {
      const transaction = await read(name, version);
      return transaction.status?.phase === phase && transaction;
    },
    { what: `${name} to be ${phase}`, deadlineMs: DEADLINE_MS },
  );
}

const begun: Record<string, string> = {};

/** Every transaction's own words, whatever version and resourceVersion they are read in. */
function content({ metadata, spec, status }: OrderTransaction): object {
  return { uid: metadata.uid, labels: metadata.labels, annotations: metadata.annotations, spec, status };
}

test(
  'given: a transaction in every phase, and one whose fields somebody owns',
  async () => {
    const begin = async (what: string, flow: string) => {
      begun[what] = (await shop.begin(flow, [TEA])).name;
      return begun[what];
    };
    await reaches((await shop.order([TEA], 20)).body.transaction, 'Succeeded');
    await reaches((await shop.order([GONE], 20)).body.transaction, 'Cancelled');
    await reaches(await begin('confirming', 'half'), 'Confirming');
    await begin('cancelling', 'silent');
    await shop.patch(begun.cancelling ?? '', { spec: { cancelRequested: true } });
    await reaches(begun.cancelling ?? '', 'Cancelling');
    await reaches(await begin('delivering', 'unheard'), 'Delivering');
    await reaches(await begin('trying', 'silent'), 'Trying');
    await begin('waiting', 'not-yet');
    await begin('suspended', 'not-yet-either');
    await shop.patch(begun.suspended ?? '', { spec: { suspend: true } });
    await apply(ALPHA, { team: 'checkout' });
    await waitFor(
      async () =>
        (await read(begun.suspended ?? '', ALPHA)).status?.conditions?.some((each) => each.type === 'Suspended'),
      {
        what: 'the suspension to be acknowledged',
        deadlineMs: DEADLINE_MS,
      },
    );
    const isTold = async () => (await read(begun.waiting ?? '', ALPHA)).status?.message?.includes('does not exist');
    await waitFor(isTold, { what: 'the missing flow to be told of', deadlineMs: DEADLINE_MS });
    before = new Map((await list(ALPHA)).map((each) => [each.metadata.name, each]));
    const phases = new Set([...before.values()].map(({ status }) => status?.phase ?? 'Pending'));
    expect([...phases].sort()).toEqual(
      ['Cancelled', 'Cancelling', 'Confirming', 'Delivering', 'Pending', 'Succeeded', 'Trying'].sort(),
    );
  },
  TEST_MS,
);

/** Applied server-side, in either version, by one who owns its labels. */
async function apply(version: Version, labels: Readonly<Record<string, string>>): Promise<void> {
  const file = join(nextRelease, 'applied.json');
  const whole = {
    ...{ apiVersion: `ordertx.dev/${version}`, kind: 'OrderTransaction', metadata: { name: 'applied', labels } },
    spec: { flow: 'silent', orderId: 'o1', payload: { orderId: 'o1' } },
  };
  writeFileSync(file, JSON.stringify(whole));
  await shop.kubectl('apply', '--server-side', '-f', file);
}

/** What the guards, the rules and the selectors do to whoever comes by this version. */
async function holds(version: Version): Promise<void> {
  const path = (name: string) => `${collection(version)}/${name}`;
  const trying = path(begun.trying ?? '');
  const answered = async (
    api: ApiServer | undefined,
    method: 'PATCH' | 'DELETE' | 'PUT',
    where: string,
    body?: object,
  ) => verdictOf(await api!.request(method, where, body));
  const refused = (says: RegExp) => ({ kind: 'refused', message: expect.stringMatching(says) });

  expect(await answered(carol, 'PATCH', trying, { spec: { suspend: true } })).toMatchObject(
    refused(/needs the verb "suspend"/),
  );
  expect(await answered(alice, 'PATCH', trying, { spec: { suspend: true, suspendedBy: 'bob' } })).toMatchObject(
    refused(/write suspendedBy: alice/),
  );
  expect(await answered(alice, 'PATCH', trying, { spec: { suspend: true } })).toMatchObject({
    object: { apiVersion: `ordertx.dev/${version}`, spec: { suspendedBy: 'alice' } },
  });
  expect(await answered(alice, 'PATCH', trying, { spec: { suspend: false } })).toMatchObject({ kind: 'accepted' });
  expect(await answered(admin, 'PATCH', trying, { spec: { payload: { userId: null, memberId: 'u1' } } })).toMatchObject(
    refused(/payload is immutable/),
  );
  expect(await answered(admin, 'DELETE', trying)).toMatchObject(refused(/is not finished/));
  const { body } = await admin.request('GET', path(begun.confirming ?? ''));
  const stolen = {
    ...(body as OrderTransaction),
    status: { ...(body as OrderTransaction).status, decision: 'Cancel' },
  };
  expect(await answered(admin, 'PUT', `${path(begun.confirming ?? '')}/status`, stolen)).toMatchObject(
    refused(/decision is write-once|phase and decision disagree/),
  );
  const [ended] = await list(version, 'status.phase=Succeeded');
  const retry = { metadata: { annotations: { 'ordertx.dev/retry-requested-at': randomUUID() } } };
  const { warnings } = await admin.request('PATCH', path(ended?.metadata.name ?? ''), retry);
  expect(warnings).toEqual([expect.stringContaining('there is nothing left to try again')]);
  for (const crd of CRDS)
    expect(await answered(admin, 'DELETE', `${crdPath(crd)}?dryRun=All`)).toMatchObject(
      refused(/deletes every object/),
    );
}

const namesBy = async (version: Version, selector: string) =>
  (await list(version, selector)).map(({ metadata }) => metadata.name).sort();

describe('v1beta1 comes, v1alpha1 is stored', () => {
  beforeAll(() => setVersions({ name: BETA }, { name: ALPHA, storage: true }), SETUP_MS);

  test('each object is the same in both', async () => {
    for (const [name, was] of before) {
      // What is tried again is written now and then: of both the same copy.
      const [alpha, beta] = await waitFor(
        async () => {
          const both = [await read(name, ALPHA), await read(name, BETA)] as const;
          return both[0].metadata.resourceVersion === both[1].metadata.resourceVersion && both;
        },
        { what: `${name} to stay for two reads`, deadlineMs: DEADLINE_MS },
      );
      expect([alpha.apiVersion, beta.apiVersion]).toEqual(['ordertx.dev/v1alpha1', 'ordertx.dev/v1beta1']);
      expect(beta.metadata.uid).toBe(was.metadata.uid);
      expect(content(beta)).toEqual(content(alpha));
    }
  });

  test.each([
    'spec.flow=silent',
    'spec.orderId=o1',
    'status.phase=Confirming',
    'status.waitingFor!=',
    'status.expires=',
    'status.phase!=Succeeded,status.phase!=Cancelled',
  ])('a field selector finds the same in both: %s', async (selector) => {
    const found = await namesBy(BETA, selector);
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThan(before.size);
    expect(await namesBy(ALPHA, selector)).toEqual(found);
  });

  test.each([ALPHA, BETA] as const)('guards and rules hold through %s', holds);

  test('the controller that speaks v1alpha1 carries on', async () => {
    await reaches((await shop.order([TEA], 20)).body.transaction, 'Succeeded', BETA);
  });

  test('v1alpha1 cannot go while it is stored', async () => {
    await expect(setVersions({ name: BETA, storage: true })).rejects.toThrow(/storedVersions/);
  });
});

const storedIn = async () =>
  new Set((await storedTransactions(own.plane.etcdUrl)).map(({ apiVersion }) => apiVersion.split('/')[1]));

describe('v1beta1 is stored', () => {
  beforeAll(() => setVersions({ name: BETA, storage: true }, { name: ALPHA }), SETUP_MS);

  test('what is new is stored in it, what was there is stored as it was', async () => {
    await reaches((await shop.order([TEA], 20)).body.transaction, 'Succeeded');
    expect(await storedIn()).toEqual(new Set([ALPHA, BETA]));
  });

  test(
    'a controller of the next release works beside that of this one',
    async () => {
      controllers.push(await startController(nextRelease));
      await reaches((await shop.order([TEA], 20)).body.transaction, 'Succeeded');
    },
    TEST_MS,
  );

  test('guards and rules hold', () => holds(BETA), TEST_MS);

  test(
    'migrating stores everything anew while orders are carried on, and changes nothing',
    async () => {
      const api = { ask: transport.request.bind(transport) };
      const orders = Array.from({ length: 10 }, () => shop.order([TEA], 20));
      const flows = await migrate(api, 'transactionflows.ordertx.dev');
      const transactions = await migrate(api, 'ordertransactions.ordertx.dev');
      expect(flows).toMatchObject({ kind: 'migrated', storageVersion: BETA, pruned: [ALPHA] });
      expect(transactions).toMatchObject({ kind: 'migrated', storageVersion: BETA, pruned: [ALPHA] });
      for (const order of orders) expect((await order).status).toBe(201);
      expect(await storedIn()).toEqual(new Set([BETA]));
      for (const crd of CRDS) {
        const { body } = await admin.request('GET', crdPath(crd));
        expect(body).toMatchObject({ status: { storedVersions: [BETA] } });
      }
      const isQuiet = ({ metadata, status }: OrderTransaction) =>
        status?.finishedAt !== undefined || [begun.waiting, begun.suspended].includes(metadata.name);
      const quiet = [...before.values()].filter(isQuiet);
      expect(quiet).toHaveLength(4);
      for (const was of quiet) {
        const { spec, status } = await read(was.metadata.name, ALPHA);
        expect([spec, status]).toEqual([was.spec, was.status]);
      }
    },
    TEST_MS,
  );

  test('migrating again is harmless', async () => {
    const api = { ask: transport.request.bind(transport) };
    const versions = async () =>
      new Map((await list(BETA)).map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
    const before = await versions();
    expect(await migrate(api, 'ordertransactions.ordertx.dev')).toMatchObject({ kind: 'migrated', pruned: [] });
    const name = begun.waiting ?? '';
    expect((await versions()).get(name)).toBe(before.get(name));
  });

  test('who owned fields in v1alpha1 owns them in v1beta1', async () => {
    const { body } = await admin.request('GET', `${collection(BETA)}/applied`);
    const { managedFields } = (body as { metadata: { managedFields: readonly { apiVersion: string }[] } }).metadata;
    expect(new Set(managedFields.map(({ apiVersion }) => apiVersion))).toEqual(new Set(['ordertx.dev/v1beta1']));
  });
});

describe('v1alpha1 goes', () => {
  beforeAll(async () => {
    const [old] = controllers;
    await old?.part.process.stop();
    await setVersions({ name: BETA, storage: true }, { name: ALPHA, served: false });
    await setVersions({ name: BETA, storage: true });
  }, SETUP_MS);

  test('nothing that was there is lost', async () => {
    const now = new Map((await list(BETA)).map(({ metadata }) => [metadata.name, metadata.uid]));
    for (const [name, { metadata }] of before) expect(now.get(name)).toBe(metadata.uid);
  });

  test('guards and rules hold', () => holds(BETA), TEST_MS);

  test('what was applied in v1alpha1 is applied in v1beta1 without a conflict, and what is not in the file any more goes', async () => {
    await apply(BETA, {});
    expect((await read('applied', BETA)).metadata.labels).toBeUndefined();
  });

  test(
    'everything is carried to the end it was decided for, and what is undecided to its own',
    async () => {
      half.isWell = true;
      const flow = (name: string) => `${collection(BETA, 'transactionflows')}/${name}`;
      const participants = [{ name: 'inventory', endpoint: { url: half.url }, path: '/tcc/create-order' }];
      expect((await admin.request('PATCH', flow('silent'), { spec: { participants } })).status).toBe(200);
      for (const name of ['not-yet', 'not-yet-either']) {
        const body = {
          apiVersion: `ordertx.dev/${BETA}`,
          kind: 'TransactionFlow',
          metadata: { name },
          spec: { participants },
        };
        expect((await admin.request('POST', collection(BETA, 'transactionflows'), body)).status).toBe(201);
      }
      const patch = (name: string | undefined, spec: object) =>
        alice!.request('PATCH', `${collection(BETA)}/${name ?? ''}`, { spec });
      await patch(begun.suspended, { suspend: false });
      const resolutions = [{ target: 'lock', as: 'Delivered', reason: 'nobody hears it' }];
      expect((await patch(begun.delivering, { resolutions })).status).toBe(200);

      const { cancelling = '', ...others } = begun;
      await reaches(cancelling, 'Cancelled', BETA);
      for (const name of Object.values(others)) await reaches(name, 'Succeeded', BETA);
      for (const [name, was] of before) {
        const decision = was.status?.decision;
        if (decision !== undefined) expect((await read(name, BETA)).status?.decision).toBe(decision);
      }
    },
    TEST_MS,
  );
});
