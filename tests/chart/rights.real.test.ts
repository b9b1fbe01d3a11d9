/**
 * Who may do what, by the API server's own word: every account of a release and every role for people, asked about each thing that a
 * release has to do with. The table says all: whoever is not in a row may not.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type ApiServer } from '../../local/control-plane/api.ts';
import { waitFor } from '../../local/deadline.ts';
import { freshNamespace, world } from '../world/world.ts';
import { CHART, objectsOf, openHelm, over, REQUIRED, type Helm, type Rendered } from './chart.ts';

const SETUP_MS = 900_000;
const FULLNAME = 'shop-ordertx';
const PROCESSES = ['controller', 'order', 'inventory', 'payment', 'dispatch', 'wms', 'member', 'notification'] as const;
const PEOPLE = ['view', 'operator', 'admin'] as const;
const EVERYBODY = [...PROCESSES, 'test', ...PEOPLE] as const;
type Who = (typeof EVERYBODY)[number];

interface Asked {
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
}
type Row = readonly [what: string, verbs: string, asked: Asked, who: readonly Who[]];

const otx: Asked = { group: 'ordertx.dev', resource: 'ordertransactions', name: 'create-o1' };
const status: Asked = { ...otx, subresource: 'status' };
const probe: Asked = { ...otx, name: `${FULLNAME}-test` };
const flow: Asked = { group: 'ordertx.dev', resource: 'transactionflows', name: 'create-order' };
const lease: Asked = { group: 'coordination.k8s.io', resource: 'leases', name: `${FULLNAME}-shard-0-of-1` };
const foreignLease: Asked = { ...lease, name: 'cert-manager-controller' };
const otherRelease: Asked = { ...lease, name: 'ordertx-shard-0-of-1' };
const event: Asked = { group: 'events.k8s.io', resource: 'events' };
const token = (account: string): Asked => ({
  ...{ resource: 'serviceaccounts', subresource: 'token', name: `${FULLNAME}-${account}` },
});
const crd = (name: string): Asked => ({ group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', name });
const rbac = (resource: string): Asked => ({ group: 'rbac.authorization.k8s.io', resource, name: 'any' });
const policy: Asked = {
  ...{ group: 'admissionregistration.k8s.io', resource: 'validatingadmissionpolicies', name: 'any' },
};

const ON_CALL: readonly Who[] = ['operator', 'admin'];
const READERS: readonly Who[] = ['controller', 'view', ...ON_CALL];

/** In a namespace whose transactions the release carries, and in which people have been given a role. */
const CARRIED: readonly Row[] = [
  ['read transactions', 'get list watch', otx, READERS],
  ['replace a transaction', 'update', otx, ['admin']],
  ['change a transaction', 'patch', otx, ON_CALL],
  ['delete what has ended', 'delete deletecollection', otx, ['controller', 'admin']],
  ['suspend, cancel and settle', 'suspend cancel settle', otx, ON_CALL],
  ['give a transaction up', 'abandon', otx, ['admin']],
  ['write a status', 'update', status, ['controller']],
  ['read or patch a status', 'get patch', status, []],
  ['read flows', 'get list watch', flow, READERS],
  ['mark a flow as in use', 'patch', flow, ['controller', 'admin']],
  ['write and delete flows', 'create update delete deletecollection', flow, ['admin']],
  ['say how a flow is', 'patch', { ...flow, subresource: 'status' }, ['controller']],
  ['replace how a flow is', 'update', { ...flow, subresource: 'status' }, []],
  ['tell of trouble', 'create patch', event, ['controller']],
];

/** In the release's own namespace, besides. */
const HOME: readonly Row[] = [
  ['create a transaction', 'create', otx, ['order', 'test', 'admin']],
  ['read the test’s transaction', 'get', probe, READERS],
  ['change the test’s transaction', 'patch', probe, [...ON_CALL, 'test']],
  ['delete the test’s transaction', 'delete', probe, ['controller', 'admin', 'test']],
  ['give the test’s transaction up', 'abandon', probe, ['admin', 'test']],
  ['try to write the status of the test’s transaction', 'patch', { ...probe, subresource: 'status' }, ['test']],
  ['read Leases', 'get list', lease, ['controller', ...ON_CALL]],
  ['take Leases', 'create update', lease, ['controller']],
  ['take another’s Leases', 'update patch delete', foreignLease, []],
  ['take another release’s Leases', 'update patch delete', otherRelease, []],
  ['read another’s Leases', 'get', foreignLease, ON_CALL],
  ['delete Leases', 'delete deletecollection patch', lease, []],
  ['read Events', 'get list watch', event, ON_CALL],
  ['read Events of the older kind', 'get list watch', { resource: 'events' }, ON_CALL],
  ['have the controller’s token', 'create', token('controller'), ['controller']],
  ['have order’s token', 'create', token('order'), []],
];

/** Nowhere. */
const NEVER: readonly Row[] = [
  ['see secrets', 'get list watch', { resource: 'secrets', name: 'databases' }, []],
  ['write secrets', 'create update patch delete', { resource: 'secrets', name: 'databases' }, []],
  ['see settings', 'get list watch', { resource: 'configmaps', name: 'any' }, []],
  ['run pods', 'create update patch delete', { resource: 'pods', name: 'any' }, []],
  ['get into pods', 'create get', { resource: 'pods', subresource: 'exec', name: 'any' }, []],
  ['read logs', 'get', { resource: 'pods', subresource: 'log', name: 'any' }, []],
  ['change Deployments', 'create update patch delete', { group: 'apps', resource: 'deployments', name: 'any' }, []],
  ['give rights', 'create update patch delete bind escalate', rbac('roles'), []],
  ['give roles', 'create update patch delete', rbac('rolebindings'), []],
  ['make accounts', 'create update patch delete impersonate', { resource: 'serviceaccounts', name: 'any' }, []],
];

/** Of what belongs to no namespace. */
const CLUSTER: readonly Row[] = [
  ['see which schema transactions have', 'get', crd('ordertransactions.ordertx.dev'), ['controller']],
  ['see which schema flows have', 'get', crd('transactionflows.ordertx.dev'), ['controller']],
  ['see others’ CRDs', 'get', crd('certificates.cert-manager.io'), []],
  ['list CRDs', 'list watch', { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' }, []],
  ['change the CRDs', 'update patch delete', crd('ordertransactions.ordertx.dev'), []],
  ['take the guards away', 'create update patch delete', policy, []],
  ['be somebody else', 'impersonate', { resource: 'users', name: 'any' }, []],
  ['give rights to all', 'create update patch delete bind escalate', rbac('clusterroles'), []],
  ['see namespaces and nodes', 'list', { resource: 'namespaces' }, []],
];

let helm: Helm;
let admin: ApiServer;
/** Where the release is, a namespace that it carries besides, and one that it has nothing to do with. */
let home: string;
let carried: string;
let foreign: string;

beforeAll(async () => {
  const { apiServerUrl: url, token: adminToken, certificate, kubeconfig } = world();
  helm = await openHelm(4);
  [home = '', carried = '', foreign = ''] = await Promise.all(
    ['rights', 'carried', 'foreign'].map((name) => freshNamespace(name)),
  );
  admin = connect({ url, token: adminToken, certificate });
  const file = await helm.valuesFile(over(REQUIRED, { crds: { enabled: false }, watchNamespaces: [home, carried] }));
  await helm.run(['install', 'shop', CHART, '--namespace', home, '-f', file], kubeconfig);
  const forTest = [
    'template',
    'shop',
    CHART,
    '--namespace',
    home,
    '-f',
    file,
    '--show-only',
    'templates/tests/check.yaml',
  ];
  for (const object of objectsOf(await helm.run(forTest)))
    if (object.kind.startsWith('Role') || object.kind === 'ServiceAccount') await create(object);
  for (const role of PEOPLE) for (const namespace of [home, carried]) await create(bindingOf(role, namespace));
  // Roles and bindings are each watched apart: of both the last that was made.
  await waitFor(
    async () => (await mayIn(home, 'patch', probe, 'test')) && (await mayIn(carried, 'get', otx, 'admin')),
    {
      ...{ what: 'the rights to count', deadlineMs: 20_000 },
    },
  );
}, SETUP_MS);

afterAll(async () => {
  await helm.run(['uninstall', 'shop', '--namespace', home, '--ignore-not-found'], world().kubeconfig);
  await admin.close();
  await helm.close();
});

async function create(object: Rendered): Promise<void> {
  const collection = object.kind === 'ServiceAccount' ? '/api/v1' : '/apis/rbac.authorization.k8s.io/v1';
  const at = `${collection}/namespaces/${object.metadata.namespace}/${object.kind.toLowerCase()}s`;
  const { status: code, body } = await admin.request('POST', at, object);
  if (code !== 201) throw new Error(`${object.kind} ${object.metadata.name}: ${JSON.stringify(body)}`);
}

const bindingOf = (role: string, namespace: string): Rendered => ({
  ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding' },
  metadata: { name: `people-${role}`, namespace },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `${home}.${FULLNAME}.${role}` },
  subjects: [{ kind: 'User', name: `a-${role}`, apiGroup: 'rbac.authorization.k8s.io' }],
});

/** As the API server knows them. */
function identityOf(who: Who): { readonly user: string; readonly groups: readonly string[] } {
  if (PEOPLE.some((role) => role === who)) return { user: `a-${who}`, groups: ['system:authenticated'] };
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${home}`, 'system:authenticated'];
  return { user: `system:serviceaccount:${home}:${FULLNAME}-${who}`, groups };
}

async function mayIn(namespace: string | undefined, verb: string, asked: Asked, who: Who): Promise<boolean> {
  const resourceAttributes = { ...(namespace !== undefined && { namespace }), verb, ...asked };
  const { status: code, body } = await admin.request('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    spec: { ...identityOf(who), resourceAttributes },
  });
  if (code !== 201) throw new Error(`the API server does not say (${code}): ${JSON.stringify(body)}`);
  return (body as { readonly status: { readonly allowed: boolean } }).status.allowed;
}

/** Whoever may, by verb. */
async function answers(namespace: string | undefined, [, verbs, asked]: Row): Promise<Record<string, readonly Who[]>> {
  const byVerb = verbs.split(' ').map(async (verb) => {
    const allowed = await Promise.all(EVERYBODY.map((who) => mayIn(namespace, verb, asked, who)));
    return [verb, EVERYBODY.filter((_, index) => allowed[index])] as const;
  });
  return Object.fromEntries(await Promise.all(byVerb));
}

const wanted = ([, verbs, , who]: Row) =>
  Object.fromEntries(verbs.split(' ').map((verb) => [verb, EVERYBODY.filter((each) => who.includes(each))]));

describe('where the release is', () => {
  test.each([...CARRIED, ...HOME, ...NEVER])('who may %s', async (...row) => {
    expect(await answers(home, row)).toEqual(wanted(row));
  });
});

describe('where it carries transactions besides', () => {
  const here: readonly Row[] = [
    ...CARRIED,
    ['create a transaction', 'create', otx, ['admin']],
    ['read Leases', 'get list', lease, ON_CALL],
    ['take Leases', 'create update', lease, []],
    ['have a token', 'create', token('controller'), []],
    ...NEVER,
  ];
  test.each(here)('who may %s', async (...row) => {
    expect(await answers(carried, row)).toEqual(wanted(row));
  });
});

describe('anywhere else', () => {
  test.each([...CARRIED, ...HOME, ...NEVER])('nobody may %s', async (what, verbs, asked) => {
    const row: Row = [what, verbs, asked, []];
    expect(await answers(foreign, row)).toEqual(wanted(row));
  });
});

describe('of what belongs to no namespace', () => {
  test.each(CLUSTER)('who may %s', async (...row) => {
    expect(await answers(undefined, row)).toEqual(wanted(row));
  });
});
