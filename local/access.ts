/**
 * Who may do what in the cluster: the controller's and the order service's accounts, as in production.
 *
 * Each gets a kubeconfig with a token of its service account, so that a right that the chart would have to grant is
 * missed here first. The administrator's kubeconfig is for people and tests only.
 */
import { join } from 'node:path';
import { CRD_NAMES, type Cluster } from './cluster.ts';
import { connect, type ApiServer } from './control-plane/api.ts';
import { writeKubeconfig } from './control-plane/kubeconfig.ts';
import { waitFor } from './deadline.ts';

export const CONTROLLER_ACCOUNT = 'ordertx-controller';
export const ORDER_ACCOUNT = 'order';

export type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
};

/** Exactly what the controller asks the API server for. Reading the key set is a right that every account has. */
const CONTROLLER_RULES: readonly Rule[] = [
  // Unfinished ones nobody may delete without the verb abandon, which it has not.
  {
    apiGroups: ['ordertx.dev'],
    resources: ['ordertransactions'],
    verbs: ['get', 'list', 'watch', 'delete', 'deletecollection'],
  },
  { apiGroups: ['ordertx.dev'], resources: ['ordertransactions/status'], verbs: ['update'] },
  // It keeps a finalizer on every flow, which is metadata of the object itself.
  { apiGroups: ['ordertx.dev'], resources: ['transactionflows'], verbs: ['get', 'list', 'watch', 'patch'] },
  { apiGroups: ['ordertx.dev'], resources: ['transactionflows/status'], verbs: ['patch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'list', 'create', 'update'] },
  { apiGroups: [''], resources: ['serviceaccounts/token'], resourceNames: [CONTROLLER_ACCOUNT], verbs: ['create'] },
];

/** Of the whole cluster, as CRDs are: the controller looks which schema they have, and at no other. */
const CRDS_RULE: Rule = {
  apiGroups: ['apiextensions.k8s.io'],
  resources: ['customresourcedefinitions'],
  resourceNames: CRD_NAMES,
  verbs: ['get'],
};

const ORDER_RULES: readonly Rule[] = [
  { apiGroups: ['ordertx.dev'], resources: ['ordertransactions'], verbs: ['create'] },
];

const EFFECTIVE_MS = 15_000;
/** The system may stay up for weeks; nobody renews these files. */
const TOKEN_SECONDS = 365 * 24 * 3600;

export type Access = {
  readonly controllerKubeconfig: string;
  readonly orderKubeconfig: string;
  /** The controller's service account, `<namespace>/<name>`. */
  readonly controllerAccount: string;
  /** As whom services meet the controller: the subject of its tokens. */
  readonly controllerSubject: string;
};

/**
 * Creates both accounts and returns once their rights in `namespace` are effective. Kubeconfigs are written into `folder`.
 *
 * @param home where the accounts live. In another namespace than `namespace` they get their rights from the cluster, so that
 *             accounts and rights outlive it; in the same one, both go with it but for the right to read the CRDs.
 */
export async function grantAccess(
  cluster: Cluster,
  namespace: string,
  folder: string,
  home = namespace,
): Promise<Access> {
  const kubeconfig = async (account: string, rules: readonly Rule[], ofCluster: readonly Rule[] = []) => {
    await createAccount(cluster.admin, home, account);
    const everywhere = home === namespace ? ofCluster : [...rules, ...ofCluster];
    if (home === namespace) await grantThere(cluster.admin, home, account, rules);
    if (everywhere.length > 0) await grantEverywhere(cluster.admin, home, account, everywhere);
    const path = join(folder, `kubeconfig-${namespace}-${account}`);
    const token = await issueToken(cluster.admin, home, account);
    const { url, certificate } = cluster;
    await writeKubeconfig(path, { url, certificate, token, user: account, namespace });
    for (const each of [rules, ofCluster]) await effective({ url, certificate, token }, namespace, each);
    return path;
  };
  const [controllerKubeconfig, orderKubeconfig] = await Promise.all([
    kubeconfig(CONTROLLER_ACCOUNT, CONTROLLER_RULES, [CRDS_RULE]),
    kubeconfig(ORDER_ACCOUNT, ORDER_RULES),
  ]);
  return {
    ...{ controllerKubeconfig, orderKubeconfig },
    controllerAccount: `${home}/${CONTROLLER_ACCOUNT}`,
    controllerSubject: `system:serviceaccount:${home}:${CONTROLLER_ACCOUNT}`,
  };
}

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const RBAC_GROUP = 'rbac.authorization.k8s.io';

async function createAccount(admin: ApiServer, namespace: string, name: string): Promise<void> {
  await create(admin, `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
}

async function grantThere(admin: ApiServer, namespace: string, name: string, rules: readonly Rule[]): Promise<void> {
  const rbac = `${RBAC}/namespaces/${namespace}`;
  await create(admin, `${rbac}/roles`, { metadata: { name }, rules });
  await create(admin, `${rbac}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: RBAC_GROUP, kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
}

async function grantEverywhere(
  admin: ApiServer,
  namespace: string,
  name: string,
  rules: readonly Rule[],
): Promise<void> {
  const metadata = { name: `${namespace}-${name}` };
  await create(admin, `${RBAC}/clusterroles`, { metadata, rules });
  await create(admin, `${RBAC}/clusterrolebindings`, {
    metadata,
    roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
}

async function create(admin: ApiServer, path: string, body: unknown): Promise<void> {
  const answer = await admin.request('POST', path, body);
  if (answer.status !== 201 && answer.status !== 409) {
    throw new Error(`POST ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }
}

async function issueToken(admin: ApiServer, namespace: string, account: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: TOKEN_SECONDS },
  };
  const { status, body } = await admin.request('POST', path, request);
  const token = (body as { status?: { token?: string } }).status?.token;
  if (!token) throw new Error(`no token for ${account} (${status}): ${JSON.stringify(body)}`);
  return token;
}

/** Asks as the account itself whether it may do what the last of its rules allows; RBAC takes a moment to know. */
async function effective(as: Parameters<typeof connect>[0], namespace: string, rules: readonly Rule[]): Promise<void> {
  const last = rules.at(-1);
  if (!last) return;
  const [resource, subresource] = (last.resources[0] ?? '').split('/');
  const attributes = {
    ...{ namespace, resource, subresource, group: last.apiGroups[0], verb: last.verbs[0] },
    ...(last.resourceNames && { name: last.resourceNames[0] }),
  };
  const api = connect(as);
  try {
    await waitFor(
      async () => {
        const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
        const { body } = await api.request('POST', path, { spec: { resourceAttributes: attributes } });
        return (body as { status?: { allowed?: boolean } }).status?.allowed === true;
      },
      { what: `the rights in namespace ${namespace} to become effective`, deadlineMs: EFFECTIVE_MS },
    );
  } finally {
    await api.close();
  }
}
