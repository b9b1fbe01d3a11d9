/** The admission policies: what is unfinished is not deleted by mistake, nor are the CRDs with all their objects. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiServer } from '../../local/control-plane/api.ts';
import { freshNamespace } from '../world/world.ts';
import { someoneWith } from './someone.ts';
import {
  adminAccess,
  branches,
  connectAsAdmin,
  status,
  storeTransaction,
  verdictOf,
  type Verdict,
} from './stored-transaction.ts';

const abandon = (reason: string | null) => ({ metadata: { annotations: { 'ordertx.dev/abandon': reason } } });

let admin: ApiServer;
let namespace: string;
beforeAll(async () => {
  admin = connectAsAdmin();
  namespace = await freshNamespace('guards');
});
afterAll(() => admin.close());

async function remove(api: ApiServer, path: string): Promise<Verdict> {
  return verdictOf(await api.request('DELETE', path));
}

describe('deleting a transaction', () => {
  const confirming = status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Tried', 'Tried') });

  test('is refused before it has a status', async () => {
    const { path } = await storeTransaction(admin, namespace, 'new');
    expect(await remove(admin, path)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining(
        'transaction new is not finished: what its services reserved would stay reserved',
      ),
    });
  });

  test('is refused while it is under way', async () => {
    const transaction = await storeTransaction(admin, namespace, 'under-way');
    await transaction.take(confirming);
    expect(await remove(admin, transaction.path)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining(
        'to give it up, annotate it first with ordertx.dev/abandon=<reason> (at least 3 characters)',
      ),
    });
  });

  test('is allowed once it is finished', async () => {
    const transaction = await storeTransaction(admin, namespace, 'finished');
    await transaction.take(confirming);
    await transaction.take(
      status({ phase: 'Succeeded', decision: 'Confirm', branches: branches('Confirmed', 'Confirmed') }),
    );
    expect(await remove(admin, transaction.path)).toMatchObject({ kind: 'accepted' });
  });

  test('is refused for a whole collection that holds an unfinished one', async () => {
    const { path } = await storeTransaction(admin, namespace, 'one-of-many', { orderId: 'many' });
    const selected = `${path.replace(/\/[^/]+$/, '')}?fieldSelector=spec.orderId%3Dmany`;
    expect(await remove(admin, selected)).toMatchObject({ kind: 'refused' });
  });

  test('is allowed to whoever has the verb and gave it up with a reason', async () => {
    const { path } = await storeTransaction(admin, namespace, 'given-up');
    await admin.request('PATCH', path, abandon('no'));
    expect(await remove(admin, path)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('is not finished'),
    });
    await admin.request('PATCH', path, abandon('test data'));
    expect(await remove(admin, path)).toMatchObject({ kind: 'accepted' });
  });

  test('is refused to someone without the verb, given up or not', async () => {
    const deleter = await someoneWith(adminAccess(), namespace, 'deleter', 'get', 'patch', 'delete');
    const { path } = await storeTransaction(admin, namespace, 'not-theirs');
    await admin.request('PATCH', path, abandon('fed up'));
    expect(await remove(deleter, path)).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('giving it up needs the verb "abandon" on ordertransactions.ordertx.dev'),
    });
    await deleter.close();
  });

  test('is allowed to someone who has the verb', async () => {
    const operator = await someoneWith(adminAccess(), namespace, 'operator', 'get', 'patch', 'delete', 'abandon');
    const { path } = await storeTransaction(admin, namespace, 'theirs');
    expect((await operator.request('PATCH', path, abandon('was a test'))).status).toBe(200);
    expect(await remove(operator, path)).toMatchObject({ kind: 'accepted' });
    await operator.close();
  });
});

describe('deleting a CRD', () => {
  /** Only tried, never done: other tests live in the same API server. */
  const trial = (path: string, query = '') => remove(admin, `${path}?dryRun=All${query}`);
  const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const NAMES = ['ordertransactions.ordertx.dev', 'transactionflows.ordertx.dev'];

  test.each(NAMES)('is refused for %s unless a reason is annotated, by its name and in a collection', async (name) => {
    const path = `${CRDS}/${name}`;
    const inCollection = () => trial(CRDS, `&fieldSelector=metadata.name%3D${name}`);
    const refused = {
      kind: 'refused',
      message: expect.stringContaining(`deleting ${name} deletes every object of its kind, finished or not`),
    };
    expect(await trial(path)).toMatchObject(refused);
    expect(await inCollection()).toMatchObject(refused);
    await admin.request('PATCH', path, abandon('another cluster now'));
    try {
      expect(await trial(path)).toMatchObject({ kind: 'accepted' });
      expect(await inCollection()).toMatchObject({ kind: 'accepted' });
    } finally {
      await admin.request('PATCH', path, abandon(null));
    }
  });

  test('of somebody else is nothing to the guard', async () => {
    const [plural, group] = ['widgets', 'guards.example'];
    const name = `${plural}.${group}`;
    const names = { plural, singular: 'widget', kind: 'Widget', listKind: 'WidgetList' };
    const schema = { openAPIV3Schema: { type: 'object' } };
    const versions = [{ name: 'v1', served: true, storage: true, schema }];
    const spec = { group, scope: 'Namespaced', names, versions };
    const kind = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
    expect((await admin.request('POST', CRDS, { ...kind, metadata: { name }, spec })).status).toBe(201);
    expect(await remove(admin, `${CRDS}?fieldSelector=metadata.name%3D${name}`)).toMatchObject({ kind: 'accepted' });
  });
});
