/** `check` of a guard: that it is there says nothing yet of whether it refuses; of a CRD: whether its schema is old. */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { GUARDS } from '../../../crds/generated/guards.ts';
import { NEEDED_SCHEMAS, renderRevision, SCHEMA_ANNOTATION } from '../../../crds/schema-revision.ts';
import type { ApiAnswer, ApiRequest, Transport } from '../../src/kubernetes/transport.ts';
import { sessionOn } from '../testing/session.ts';
import type { Finding } from './finding.ts';
import { checkCrds, checkGuards } from './installed.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

const GUARD = 'ordertransactions-acts';
const WARNING = 'ordertransactions-late-warning';
const manifests = ['acts.yaml', 'acts-by.yaml', 'guards.yaml', 'managed-fields.yaml'].flatMap((file) =>
  parseAllDocuments(readFileSync(join(import.meta.dirname, '../../../crds', file), 'utf8')).map(
    (document) => document.toJS() as Manifest,
  ),
);

const named = (name: string): object => ({ name });

/** What is installed, with changes by kind and name. */
async function found(
  changes: Readonly<Record<string, object>> = {},
  served: readonly string[] = ['mutatingadmissionpolicies'],
): Promise<ReadonlyMap<string, Finding>> {
  const request = <T>({ path }: ApiRequest): Promise<ApiAnswer<T>> => {
    if (path.endsWith('/v1')) return Promise.resolve({ kind: 'ok', body: { resources: served.map(named) } as T });
    const [plural = '', name = ''] = path.split('/').slice(-2);
    const isBinding = plural.endsWith('bindings');
    const manifest = manifests.find(
      (each) => each.metadata.name === name && each.kind.endsWith('Binding') === isBinding,
    );
    if (manifest === undefined) throw new Error(`${path} is none of them`);
    const spec = { ...manifest.spec, ...changes[`${isBinding ? 'binding' : 'policy'} ${name}`] };
    return Promise.resolve({ kind: 'ok', body: { ...manifest, spec } as T });
  };
  const { session } = sessionOn({ host: 'few.example', request } as unknown as Transport);
  return new Map((await checkGuards(session)).map((finding) => [finding.what.replace('guard ', ''), finding]));
}

test('all that come with the CRDs are in force where they are installed as they came', async () => {
  const guards = await found();
  expect([...guards.values()].filter(({ state }) => state !== 'ok')).toEqual([]);
  expect(guards.size).toBe(GUARDS.length);
  expect(manifests.filter(({ kind }) => kind.endsWith('AdmissionPolicy'))).toHaveLength(GUARDS.length);
});

test.each<[string, Readonly<Record<string, object>>, string, string]>([
  ['one that only audits', { [`binding ${GUARD}`]: { validationActions: ['Audit'] } }, 'wrong', 'refuses nothing'],
  ['one whose binding is of another', { [`binding ${GUARD}`]: { policyName: 'mine' } }, 'wrong', 'policy mine'],
  [
    'one that leaves namespaces out',
    { [`binding ${GUARD}`]: { matchResources: { namespaceSelector: { matchLabels: { tier: 'gold' } } } } },
    'wrong',
    'some namespaces or objects only',
  ],
  [
    'one that was changed',
    { [`policy ${GUARD}`]: { validations: [{ expression: 'true' }] } },
    'warning',
    'not the one',
  ],
  ['one that fails open', { [`policy ${GUARD}`]: { failurePolicy: 'Ignore' } }, 'warning', 'not the one'],
])('%s is not in force', async (_what, changes, state, sentence) => {
  expect((await found(changes)).get(GUARD)).toMatchObject({ state, sentence: expect.stringContaining(sentence) });
});

test('empty selectors, as the API server fills them in, leave nothing out; and one that only warns is no failure', async () => {
  const changes = {
    [`binding ${GUARD}`]: { matchResources: { namespaceSelector: {}, objectSelector: {}, matchPolicy: 'Equivalent' } },
    [`binding ${WARNING}`]: { policyName: 'mine' },
  };
  const guards = await found(changes);
  expect(guards.get(GUARD)?.state).toBe('ok');
  expect(guards.get(WARNING)?.state).toBe('warning');
});

test('policies that mutate are not missed where the API server has none, and are not needed to refuse', async () => {
  const name = 'ordertransactions-acts-by';
  expect((await found({}, [])).get(name)).toMatchObject({
    state: 'ok',
    sentence: expect.stringContaining('not needed'),
  });
  const changed = await found({ [`policy ${name}`]: { mutations: [] } });
  expect(changed.get(name)).toMatchObject({ state: 'warning', sentence: expect.stringContaining('not the one') });
});

describe('check of the CRDs', () => {
  const STORED = { state: 'ok', sentence: 'serves and stores v1alpha1' };
  const WARNED = 'controllers of its version do not begin work before its crds/ are applied';
  const { revision, digest } = NEEDED_SCHEMAS.get('ordertransactions.ordertx.dev')!;

  /** What is said of the transactions' where it is installed as it came, but for this mark. */
  async function foundWith(mark: string | undefined): Promise<Finding | undefined> {
    const request = <T>({ path }: ApiRequest): Promise<ApiAnswer<T>> => {
      const file = path.includes('/ordertransactions.') ? 'ordertransaction.yaml' : 'transactionflow.yaml';
      const crd = parse(readFileSync(join(import.meta.dirname, '../../../crds', file), 'utf8')) as {
        readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
      };
      const annotations = file === 'ordertransaction.yaml' ? { [SCHEMA_ANNOTATION]: mark } : crd.metadata.annotations;
      const status = { conditions: [{ type: 'Established', status: 'True' }], storedVersions: ['v1alpha1'] };
      return Promise.resolve({ kind: 'ok', body: { ...crd, metadata: { annotations }, status } as T });
    };
    const { session } = sessionOn({ host: 'few.example', request } as unknown as Transport);
    const [transactions, flows] = await checkCrds(session);
    expect(flows).toMatchObject(STORED);
    return transactions;
  }

  test.each([
    ['as it came', renderRevision({ revision, digest })],
    ['newer', renderRevision({ revision: revision + 1, digest: 'f00d' })],
  ])('has nothing against one that is %s', async (_what, mark) => {
    expect(await foundWith(mark)).toMatchObject(STORED);
  });

  test.each([
    ['an older one', `${revision - 1}-f00d`, `its schema is revision ${revision - 1}-f00d, and this plugin came with`],
    ['another of the same revision', `${revision}-f00d`, `its schema is revision ${revision}-f00d, and this plugin`],
    ['one without a mark', undefined, 'it has no schema revision, and this plugin came with'],
  ])('warns of %s', async (_what, mark, sentence) => {
    const finding = await foundWith(mark);
    expect(finding).toMatchObject({ state: 'warning' });
    expect(finding?.sentence).toContain(sentence);
    expect(finding?.sentence).toContain(WARNED);
  });
});
