/**
 * People with some rights and not others, for the plugin to act as.
 */
import type { ApiServer } from '../../local/control-plane/api.ts';

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const RBAC = '/apis/rbac.authorization.k8s.io/v1';

/** `--as USER` has exactly these rights in the namespace from now on. */
export async function grant(api: ApiServer, namespace: string, user: string, rules: readonly Rule[]): Promise<void> {
  const metadata = { name: user };
  await created(api, `${RBAC}/namespaces/${namespace}/roles`, { metadata, rules });
  await created(api, `${RBAC}/namespaces/${namespace}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: user },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  });
}

async function created(api: ApiServer, path: string, body: object): Promise<void> {
  const { status, body: answer } = await api.request('POST', path, body);
  if (status !== 201) throw new Error(`POST ${path} was answered ${status}: ${JSON.stringify(answer)}`);
}
