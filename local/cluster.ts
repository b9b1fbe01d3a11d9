/**
 * Puts into a cluster what ordertx is made of there: the two CRDs and the admission policies that guard deletion.
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
const CRD_NAMES = ['ordertransactions.ordertx.dev', 'transactionflows.ordertx.dev'] as const;
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

/** Applies every file of crds/ itself and returns once CRDs are served and guards refuse. */
export async function installResources(cluster: Cluster): Promise<void> {
  const files = (await readdir(CRDS_FOLDER)).filter((file) => file.endsWith('.yaml'));
  await kubectl(cluster, 'apply', '--server-side', ...files.flatMap((file) => ['-f', join(CRDS_FOLDER, file)]));
  await waitFor(() => allServed(cluster.admin), { what: 'the CRDs to be served', deadlineMs: EFFECTIVE_MS });
  await guardsEffective(cluster.admin);
}

async function allServed(admin: ApiServer): Promise<boolean> {
  const { body } = await admin.request('GET', '/apis/ordertx.dev/v1alpha1');
  const served = new Set(((body as { resources?: { name: string }[] }).resources ?? []).map(({ name }) => name));
  return CRD_NAMES.every((crd) => served.has(crd.split('.')[0] ?? ''));
}

/**
 * Asks each guard, by requests that are only tried (dryRun), until it refuses. Those for transactions can only be asked
 * about an object that exists: a transaction without a flow, which no controller would act on.
 */
async function guardsEffective(admin: ApiServer): Promise<void> {
  for (const crd of CRD_NAMES) await refuses(admin, 'DELETE', `${CRD_PATH}/${crd}`);

  const name = 'ordertx-guard-probe';
  const path = `${TRANSACTIONS_PATH}/${name}`;
  const probe = {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { name },
    spec: { flow: name, orderId: name, payload: { named: true } },
  };
  await waitFor(
    async () => {
      const { status, body } = await admin.request('POST', TRANSACTIONS_PATH, probe);
      if (status === 201 || status === 409) return true;
      throw new Error(`creating a transaction was answered ${status}: ${JSON.stringify(body)}`);
    },
    { what: 'transactions to be accepted', deadlineMs: EFFECTIVE_MS },
  );
  await refuses(admin, 'DELETE', path);
  // A renamed field is what only the guard sees (docs/adr/0002).
  await refuses(admin, 'PATCH', path, { spec: { payload: { named: null, renamed: true } } });
  await admin.request('PATCH', path, { metadata: { annotations: { 'ordertx.dev/abandon': 'was a probe' } } });
  const { status, body } = await admin.request('DELETE', path);
  if (status !== 200) throw new Error(`the probe of the delete guard could not be removed: ${JSON.stringify(body)}`);
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
