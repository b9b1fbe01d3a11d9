/**
 * Puts into a cluster what ordertx is made of there: the two CRDs, the admission policies that guard deletion and people's acts, and
 * where the API server serves their kind those that fill in who acts and keep managed fields out.
 *
 * The API server accepts these long before it acts on them, so the second half of the work is to ask until it does: a
 * transaction created a moment too early would be refused, one deleted a moment too early would be gone.
 */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ApiServer } from './control-plane/api.ts';
import { waitFor } from './deadline.ts';

const run = promisify(execFile);

/** A control plane, ours (control-plane/start.ts) or another: how to reach it as its administrator. */
export type Cluster = {
  readonly url: string;
  /** PEM of the certificate to trust. */
  readonly certificate: string;
  readonly kubeconfig: string;
  readonly kubectl: string;
  /** What service-account tokens name as their issuer. */
  readonly issuer: string;
  readonly admin: ApiServer;
};

const CRDS_FOLDER = join(import.meta.dirname, '..', 'crds');
/** Only of use to API servers that serve MUTATING_POLICIES, which they do from 1.36 on. */
const MUTATING_FILES = ['acts-by.yaml', 'managed-fields.yaml'];
const MUTATING_POLICIES = { group: '/apis/admissionregistration.k8s.io/v1', plural: 'mutatingadmissionpolicies' };
export const CRD_NAMES = ['ordertransactions.ordertx.dev', 'transactionflows.ordertx.dev'] as const;
const EFFECTIVE_MS = 30_000;
const CRD_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const TRANSACTIONS_PATH = '/apis/ordertx.dev/v1alpha1/namespaces/default/ordertransactions';

/** Runs kubectl as the administrator; resolves with what it printed. */
export async function kubectl(
  cluster: Pick<Cluster, 'kubeconfig' | 'kubectl'>,
  ...args: readonly string[]
): Promise<string> {
  const { stdout } = await run(cluster.kubectl, ['--kubeconfig', cluster.kubeconfig, ...args]);
  return stdout;
}

/** Applies every file of crds/ that the API server has a use for, and returns once CRDs are served and policies act. */
export async function installResources(cluster: Cluster): Promise<void> {
  const { admin } = cluster;
  const mutates = (await servedIn(admin, MUTATING_POLICIES.group)).has(MUTATING_POLICIES.plural);
  const files = (await readdir(CRDS_FOLDER)).filter(
    (file) => file.endsWith('.yaml') && (mutates || !MUTATING_FILES.includes(file)),
  );
  await kubectl(cluster, 'apply', '--server-side', ...files.flatMap((file) => ['-f', join(CRDS_FOLDER, file)]));
  await waitFor(() => allServed(admin), { what: 'the CRDs to be served', deadlineMs: EFFECTIVE_MS });
  await guardsEffective(admin, mutates);
  if (mutates) await managedFieldsRemoved(admin);
}

/** As whom the API server knows this client: what an act of its own is signed with. */
async function ownName(api: ApiServer): Promise<string> {
  const { body } = await api.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
  const name = (body as { status?: { userInfo?: { username?: string } } }).status?.userInfo?.username;
  if (!name) throw new Error(`the API server does not say who we are: ${JSON.stringify(body)}`);
  return name;
}

/** The resources of a group's version, by their plural names. */
async function servedIn(admin: ApiServer, group: string): Promise<ReadonlySet<string>> {
  const { body } = await admin.request('GET', group);
  return new Set(((body as { resources?: { name: string }[] }).resources ?? []).map(({ name }) => name));
}

async function allServed(admin: ApiServer): Promise<boolean> {
  const served = await servedIn(admin, '/apis/ordertx.dev/v1alpha1');
  return CRD_NAMES.every((crd) => served.has(crd.split('.')[0] ?? ''));
}

/** A transaction without a flow, which no controller would act on. */
const PROBE_NAME = 'ordertx-guard-probe';
const PROBE = {
  apiVersion: 'ordertx.dev/v1alpha1',
  kind: 'OrderTransaction',
  metadata: { name: PROBE_NAME },
  spec: { flow: PROBE_NAME, orderId: PROBE_NAME, payload: { named: true } },
};

/**
 * Asks each guard, by requests that are only tried (dryRun), until it refuses. Those for transactions can only be asked
 * about an object that exists.
 */
export async function guardsEffective(admin: ApiServer, mutates: boolean): Promise<void> {
  for (const crd of CRD_NAMES) await refuses(admin, 'DELETE', `${CRD_PATH}/${crd}`);

  const path = `${TRANSACTIONS_PATH}/${PROBE_NAME}`;
  await waitFor(
    async () => {
      const { status, body } = await admin.request('POST', TRANSACTIONS_PATH, PROBE);
      if (status === 201 || status === 409) return true;
      throw new Error(`creating a transaction was answered ${status}: ${JSON.stringify(body)}`);
    },
    { what: 'transactions to be accepted', deadlineMs: EFFECTIVE_MS },
  );
  await refuses(admin, 'DELETE', path);
  // A renamed field is what only the guard sees (docs/adr/0002).
  await refuses(admin, 'PATCH', path, { spec: { payload: { named: null, renamed: true } } });
  await refuses(admin, 'PATCH', path, { spec: { suspendedBy: 'nobody' } });
  if (mutates) await actsSigned(admin, path);
  const annotations = { 'ordertx.dev/abandon': 'was a probe', 'ordertx.dev/abandoned-by': await ownName(admin) };
  await admin.request('PATCH', path, { metadata: { annotations } });
  const { status, body } = await admin.request('DELETE', path);
  if (status !== 200) throw new Error(`the probe of the delete guard could not be removed: ${JSON.stringify(body)}`);
}

/** Asks, by a suspension that is only tried, until the policy fills in whose it is. */
async function actsSigned(admin: ApiServer, path: string): Promise<void> {
  await waitFor(
    async () => (await admin.request('PATCH', `${path}?dryRun=All`, { spec: { suspend: true } })).status === 200,
    {
      what: 'the policy that fills in who acts',
      deadlineMs: EFFECTIVE_MS,
    },
  );
}

/** Asks, by a creation that is only tried, until the policy takes the managed fields out. */
async function managedFieldsRemoved(admin: ApiServer): Promise<void> {
  await waitFor(
    async () => {
      const { status, body } = await admin.request('POST', `${TRANSACTIONS_PATH}?dryRun=All`, PROBE);
      if (status === 201) return !hasManagedFields(body);
      throw new Error(`a trial creation was answered ${status}: ${JSON.stringify(body).slice(0, 300)}`);
    },
    { what: 'the policy that removes managed fields', deadlineMs: EFFECTIVE_MS },
  );
}

function hasManagedFields(body: unknown): boolean {
  return (body as { readonly metadata: { readonly managedFields?: unknown } }).metadata.managedFields !== undefined;
}

async function refuses(admin: ApiServer, method: 'DELETE' | 'PATCH', path: string, change?: object): Promise<void> {
  await waitFor(
    async () => {
      const { status, body } = await admin.request(method, `${path}?dryRun=All`, change);
      if (status === 422 || status === 403) return true;
      throw new Error(`a trial ${method} of ${path} was answered ${status}: ${JSON.stringify(body).slice(0, 300)}`);
    },
    { what: `the guard that refuses ${method} of ${path}`, deadlineMs: EFFECTIVE_MS },
  );
}

/** Creates a namespace and returns its name. */
export async function createNamespace(admin: ApiServer, name: string): Promise<string> {
  const { status, body } = await admin.request('POST', '/api/v1/namespaces', { metadata: { name } });
  if (status !== 201) throw new Error(`namespace ${name} was not created (${status}): ${JSON.stringify(body)}`);
  return name;
}
