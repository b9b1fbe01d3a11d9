/** Storing objects anew: what is in the way is said, and no version is taken off before all has moved. */
import { beforeEach, expect, test } from '@jest/globals';
import type { ApiAnswer, ApiRequest } from '../src/kubernetes/transport.ts';
import { migrate, rewrite } from './migrate.ts';

const NAME = 'ordertransactions.ordertx.dev';
const PLACE = { group: 'ordertx.dev', version: 'v1beta1', plural: 'ordertransactions' };

interface Stored {
  readonly namespace: string;
  readonly name: string;
  resourceVersion: number;
  managedFields: readonly object[];
}

/** As much of an API server as a migration meets. */
class FewObjects {
  readonly objects: Stored[];
  readonly patched: string[] = [];
  readonly limits: unknown[] = [];
  #storage = 'v1beta1';
  #generation = 1;
  conversion = 'None';
  storedVersions = ['v1alpha1', 'v1beta1'];
  /** Answers instead, where it answers anything. */
  instead: (request: ApiRequest) => ApiAnswer<unknown> | undefined = () => undefined;

  /** Each change is a new generation, also back to what it was. */
  set storage(version: string) {
    this.#storage = version;
    this.#generation += 1;
  }

  constructor(count: number) {
    this.objects = Array.from({ length: count }, (_, index) => {
      return { namespace: 'shop', name: `t-${index}`, resourceVersion: 1, managedFields: [] };
    });
  }

  ask<T>(request: ApiRequest): Promise<ApiAnswer<T>> {
    return Promise.resolve((this.instead(request) ?? this.#answer(request)) as ApiAnswer<T>);
  }

  #answer({ method, path, query = {}, body }: ApiRequest): ApiAnswer<unknown> {
    if (path.includes('/customresourcedefinitions/')) {
      if (method === 'PATCH')
        this.storedVersions = (body as { status: { storedVersions: string[] } }).status.storedVersions;
      return ok(this.#crd());
    }
    const name = /\/ordertransactions\/([^/]+)$/.exec(path)?.[1];
    if (name === undefined) {
      const from = Number(query.continue ?? 0);
      const to = from + Number(query.limit);
      this.limits.push(query.limit);
      const items = this.objects.slice(from, to).map((each) => ({ metadata: each }));
      return ok({ items, metadata: to < this.objects.length ? { continue: String(to) } : {} });
    }
    const found = this.objects.find((each) => each.name === name);
    if (found === undefined) return error(404, 'not found');
    if (method === 'GET') return ok({ metadata: { ...found } });
    const { metadata = {} } = body as { metadata?: Partial<Stored> };
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== found.resourceVersion)
      return error(409, 'it was changed');
    if (metadata.managedFields) found.managedFields = metadata.managedFields;
    found.resourceVersion += 1;
    this.patched.push(name);
    return ok({ metadata: found });
  }

  #crd(): object {
    const version = (name: string) => ({ name, served: true, storage: name === this.#storage });
    return {
      metadata: { resourceVersion: '1', uid: 'crd', generation: this.#generation },
      spec: {
        ...{ group: PLACE.group, names: { plural: PLACE.plural }, conversion: { strategy: this.conversion } },
        versions: [version('v1alpha1'), version('v1beta1')],
      },
      status: { storedVersions: this.storedVersions },
    };
  }
}

const ok = (body: unknown): ApiAnswer<unknown> => ({ kind: 'ok', body });
const error = (status: number, message: string): ApiAnswer<unknown> => ({
  kind: 'error',
  error: { status, reason: '', message },
});

let api: FewObjects;
beforeEach(() => {
  api = new FewObjects(1_200);
});

test('every object is stored anew once, in chunks, and then the old version is taken off', async () => {
  const progress: number[] = [];
  expect(await migrate(api, NAME, { onProgress: (done) => progress.push(done) })).toEqual({
    ...{ kind: 'migrated', storageVersion: 'v1beta1', objects: 1_200, managedFieldsRewritten: 0, pruned: ['v1alpha1'] },
  });
  expect(new Set(api.patched).size).toBe(1_200);
  expect(api.patched).toHaveLength(1_200);
  expect(api.limits).toEqual(['500', '500', '500']);
  expect(api.storedVersions).toEqual(['v1beta1']);
  expect(progress).toEqual([500, 1_000, 1_200]);
});

test('where one cannot be stored, it is named and nothing is taken off', async () => {
  api.instead = ({ method, path }) =>
    method === 'PATCH' && path.endsWith('/t-7') ? error(403, 'you may not') : undefined;
  expect(await migrate(api, NAME)).toMatchObject({
    ...{ kind: 'incomplete', failed: [{ object: 'shop/t-7', why: 'you may not (403)' }] },
  });
  expect(api.storedVersions).toEqual(['v1alpha1', 'v1beta1']);
});

test('one that is deleted meanwhile is no failure', async () => {
  api.instead = ({ method, path }) => (method === 'PATCH' && path.endsWith('/t-7') ? error(404, 'gone') : undefined);
  expect(await migrate(api, NAME)).toMatchObject({ kind: 'migrated' });
});

test('managed fields of another version are rewritten over the newest copy, however often somebody is faster', async () => {
  const owner = (apiVersion: string) => ({ manager: 'kubectl', operation: 'Apply', apiVersion });
  const stored = api.objects[7]!;
  stored.managedFields = [owner('ordertx.dev/v1alpha1')];
  let faster = 3;
  api.instead = ({ method, path }) => {
    if (method === 'PATCH' && path.endsWith('/t-7') && faster > 0) {
      faster -= 1;
      stored.resourceVersion += 1;
    }
    return undefined;
  };
  expect(await migrate(api, NAME)).toMatchObject({ kind: 'migrated', managedFieldsRewritten: 1 });
  expect(stored.managedFields).toEqual([owner('ordertx.dev/v1beta1')]);
});

test('a list that takes too long for its continue token is begun anew', async () => {
  let expired = 0;
  api.instead = ({ query }) => {
    if (query?.continue === undefined || expired > 0) return undefined;
    expired += 1;
    return error(410, 'the token is too old');
  };
  expect(await migrate(api, NAME)).toMatchObject({ kind: 'migrated', objects: 1_200 });
});

test.each([
  ['is changed', ['v1alpha1']],
  ['is changed and changed back', ['v1alpha1', 'v1beta1']],
])('the storage version %s meanwhile: nothing is taken off', async (_what, changes) => {
  api.instead = ({ path }) => {
    if (path.endsWith('/t-1199')) for (const version of changes) api.storage = version;
    return undefined;
  };
  expect(await migrate(api, NAME)).toMatchObject({
    ...{ kind: 'incomplete', objects: 1_200 },
    failed: [{ object: NAME, why: expect.stringMatching(/^storedVersions: the CRD was changed meanwhile/) }],
  });
  expect(api.storedVersions).toEqual(['v1alpha1', 'v1beta1']);
});

test('stopped before its end it says so, and takes nothing off', async () => {
  const stop = new AbortController();
  const onProgress = () => stop.abort();
  expect(await migrate(api, NAME, { onProgress, signal: stop.signal })).toMatchObject({ kind: 'incomplete' });
  expect(api.patched.length).toBeLessThan(1_200);
  expect(api.storedVersions).toEqual(['v1alpha1', 'v1beta1']);
});

test.each([
  { what: 'versions that a webhook converts', set: () => (api.conversion = 'Webhook'), says: /converted by a webhook/ },
  { what: 'a storage version that is not there', set: () => (api.storage = 'v9'), says: /is not served/ },
])('$what are refused before anything is stored', async ({ set, says }) => {
  set();
  expect(await migrate(api, NAME)).toMatchObject({ kind: 'refused', why: expect.stringMatching(says) });
  expect(api.patched).toEqual([]);
});

test('of one owner in two versions one is made, who owns what either did', () => {
  const entry = (version: string, fieldsV1: Parameters<typeof rewrite>[0][number]['fieldsV1']) => ({
    ...{
      manager: 'kubectl',
      operation: 'Update',
      subresource: 'status',
      apiVersion: `ordertx.dev/${version}`,
      fieldsV1,
    },
  });
  const entries = [
    entry('v1alpha1', { 'f:spec': { 'f:suspend': {} } }),
    { manager: 'other', operation: 'Update', apiVersion: 'ordertx.dev/v1alpha1', fieldsV1: { 'f:metadata': {} } },
    entry('v1beta1', { 'f:spec': { 'f:cancelRequested': {} }, 'f:status': {} }),
  ];
  expect(rewrite(entries, PLACE)).toEqual([
    entry('v1beta1', { 'f:spec': { 'f:suspend': {}, 'f:cancelRequested': {} }, 'f:status': {} }),
    { manager: 'other', operation: 'Update', apiVersion: 'ordertx.dev/v1beta1', fieldsV1: { 'f:metadata': {} } },
  ]);
});
