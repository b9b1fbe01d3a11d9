/**
 * However a request is made, an act needs its verb and carries its caller's name: whole objects, JSON patches, server-side apply, trial
 * runs, generated names, the status, and deletions of many at once.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { connect, type ApiAnswer, type ApiServer } from '../../local/control-plane/api.ts';
import { grant } from '../cli/access.ts';
import { freshNamespace } from '../world/world.ts';
import {
  adminAccess,
  collectionPath,
  connectAsAdmin,
  manifest,
  storeTransaction,
  verdictOf,
} from './stored-transaction.ts';

const GROUP = ['ordertx.dev'];
const WRITES = ['create', 'get', 'list', 'patch', 'update', 'delete', 'deletecollection'];
const ABANDON = 'ordertx.dev/abandon';

let namespace: string;
let admin: ApiServer;
/** Alice may do whatever people do; Carol may write everything, the status too, and has none of the verbs of acts. */
let alice: ApiServer;
let carol: ApiServer;
let count = 0;

beforeAll(async () => {
  admin = connectAsAdmin();
  namespace = await freshNamespace('ways');
  const writes = { apiGroups: GROUP, resources: ['ordertransactions', 'ordertransactions/status'], verbs: WRITES };
  const acts = { apiGroups: GROUP, resources: ['ordertransactions'], verbs: ['suspend', 'abandon'] };
  await grant(admin, namespace, 'alice', [writes, acts]);
  await grant(admin, namespace, 'carol', [writes]);
  [alice, carol] = [connect({ ...adminAccess(), as: 'alice' }), connect({ ...adminAccess(), as: 'carol' })];
}, 60_000);
afterAll(async () => {
  for (const api of [admin, alice, carol]) await api.close();
});

async function given(): Promise<string> {
  return (await storeTransaction(admin, namespace, `t${(count += 1)}`)).path;
}

const stored = async (path: string) => (await admin.request('GET', path)).body as OrderTransaction;

interface Way {
  readonly way: string;
  readonly suspend: (api: ApiServer, path: string, by?: string) => Promise<ApiAnswer>;
}

const signed = (by: string | undefined) => ({ suspend: true, ...(by !== undefined && { suspendedBy: by }) });

const WAYS: readonly Way[] = [
  {
    way: 'the whole object',
    async suspend(api, path, by) {
      const { spec, ...rest } = await stored(path);
      return api.request('PUT', path, { ...rest, spec: { ...spec, ...signed(by) } });
    },
  },
  {
    way: 'a JSON patch',
    suspend(api, path, by) {
      const names = by === undefined ? [] : [{ op: 'add', path: '/spec/suspendedBy', value: by }];
      const patch = [{ op: 'replace', path: '/spec/suspend', value: true }, ...names];
      return api.request('PATCH', path, patch, 'application/json-patch+json');
    },
  },
  {
    way: 'server-side apply',
    suspend(api, path, by) {
      const applied = { ...manifest(path.split('/').at(-1) ?? ''), spec: signed(by) };
      return api.request('PATCH', `${path}?fieldManager=theirs&force=true`, applied, 'application/apply-patch+yaml');
    },
  },
];

describe.each(WAYS)('by $way', ({ suspend }) => {
  test('someone without the verb cannot, under whatever name', async () => {
    const path = await given();
    for (const by of [undefined, 'carol', 'alice']) {
      expect(verdictOf(await suspend(carol, path, by))).toMatchObject({
        ...{ kind: 'refused', status: 403 },
        message: expect.stringContaining('needs the verb "suspend"'),
      });
    }
    expect((await stored(path)).spec.suspend).toBe(false);
  });

  test('nobody can under another’s name', async () => {
    const path = await given();
    expect(verdictOf(await suspend(alice, path, 'carol'))).toMatchObject({
      ...{ kind: 'refused', status: 422 },
      message: expect.stringContaining('write suspendedBy: alice'),
    });
  });

  test('whoever may carries the own name', async () => {
    const path = await given();
    expect(verdictOf(await suspend(alice, path))).toMatchObject({ kind: 'accepted' });
    expect((await stored(path)).spec).toMatchObject({ suspend: true, suspendedBy: 'alice' });
  });
});

test('what is applied again without a name that was filled in keeps it', async () => {
  const path = await given();
  const [, , apply] = WAYS;
  await apply?.suspend(alice, path);
  expect(verdictOf((await apply?.suspend(alice, path)) as ApiAnswer)).toMatchObject({ kind: 'accepted' });
  expect((await stored(path)).spec).toMatchObject({ suspend: true, suspendedBy: 'alice' });
});

test('a trial run is judged as the act itself, and changes nothing', async () => {
  const path = await given();
  const trial = (api: ApiServer) => api.request('PATCH', `${path}?dryRun=All`, { spec: { suspend: true } });
  expect(verdictOf(await trial(carol))).toMatchObject({ kind: 'refused', status: 403 });
  expect(verdictOf(await trial(alice))).toMatchObject({ object: { spec: { suspendedBy: 'alice' } } });
  expect((await stored(path)).spec).toMatchObject({ suspend: false });
});

test('under a generated name it needs the verb as well, and says in words what is lacking', async () => {
  const { metadata: _, ...rest } = manifest('', { suspend: true }) as OrderTransaction;
  const create = async (api: ApiServer) =>
    verdictOf(await api.request('POST', collectionPath(namespace), { ...rest, metadata: { generateName: 'made-' } }));
  expect(await create(carol)).toMatchObject({
    ...{ kind: 'refused', status: 403 },
    message: expect.stringMatching(/to suspend transaction made-\w+, .*needs the verb "suspend"/),
  });
  expect(await create(alice)).toMatchObject({ object: { spec: { suspend: true, suspendedBy: 'alice' } } });
});

test('a write of the status takes no act along', async () => {
  const path = await given();
  const { metadata, spec, ...rest } = await stored(path);
  const annotations = { [ABANDON]: 'ticket 17', 'ordertx.dev/abandoned-by': 'alice' };
  const acts = {
    ...rest,
    metadata: { ...metadata, annotations },
    spec: { ...spec, ...signed('alice'), cancelRequested: true },
  };
  expect(verdictOf(await carol.request('PUT', `${path}/status`, acts))).toMatchObject({ kind: 'accepted' });
  const patch = { metadata: { annotations }, spec: { ...signed('alice'), cancelRequested: true } };
  expect(verdictOf(await carol.request('PATCH', `${path}/status`, patch))).toMatchObject({ kind: 'accepted' });
  const after = await stored(path);
  expect(after.spec).toMatchObject({ suspend: false, cancelRequested: false });
  expect(after.spec.suspendedBy).toBeUndefined();
  expect(after.metadata.annotations).toBeUndefined();
});

test('what somebody has given up is deleted with many others only by who may give up', async () => {
  const path = await given();
  const given17 = { metadata: { annotations: { [ABANDON]: 'ticket 17' }, labels: { lot: 'seventeen' } } };
  expect(verdictOf(await alice.request('PATCH', path, given17))).toMatchObject({ kind: 'accepted' });
  const lot = `${collectionPath(namespace)}?labelSelector=lot%3Dseventeen`;
  expect(verdictOf(await carol.request('DELETE', lot))).toMatchObject({
    ...{ kind: 'refused', status: 403 },
    message: expect.stringContaining('giving it up needs the verb "abandon"'),
  });
  expect((await stored(path)).metadata.annotations).toEqual({
    [ABANDON]: 'ticket 17',
    'ordertx.dev/abandoned-by': 'alice',
  });
  expect(verdictOf(await alice.request('DELETE', lot))).toMatchObject({ kind: 'accepted' });
  expect((await admin.request('GET', path)).status).toBe(404);
});

test('an act that names the uid of another object is refused in the words that kubectl ordertx knows it by', async () => {
  const path = await given();
  const uid = '11111111-2222-3333-4444-555555555555';
  expect(verdictOf(await alice.request('PATCH', path, { metadata: { uid }, spec: { suspend: true } }))).toMatchObject({
    ...{ kind: 'refused', status: 422 },
    message: expect.stringContaining('metadata.uid'),
  });
  const options = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } };
  expect(verdictOf(await alice.request('DELETE', path, options))).toMatchObject({
    ...{ kind: 'refused', status: 409 },
    message: expect.stringContaining('UID in the precondition'),
  });
});
