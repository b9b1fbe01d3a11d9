/**
 * People with some rights and not others, for the plugin to act as.
 */
import type { ApiServer } from '../../local/control-plane/api.ts';
import { waitFor } from '../../local/deadline.ts';

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const REVIEWS = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
const EFFECTIVE_MS = 20_000;

/** `--as USER` has exactly these rights in the namespace from then on; once RBAC knows. */
export async function grant(api: ApiServer, namespace: string, user: string, rules: readonly Rule[]): Promise<void> {
  const metadata = { name: user };
  await created(api, `${RBAC}/namespaces/${namespace}/roles`, { metadata, rules });
  await created(api, `${RBAC}/namespaces/${namespace}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: user },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  });
  const [rule] = rules;
  const asked = { namespace, group: rule?.apiGroups[0], resource: rule?.resources[0], verb: rule?.verbs[0] };
  await waitFor(
    async () => {
      const { body } = await api.request('POST', REVIEWS, { spec: { user, resourceAttributes: asked } });
      return (body as { readonly status?: { readonly allowed?: boolean } }).status?.allowed === true;
    },
    { what: `the rights of ${user} to become effective`, deadlineMs: EFFECTIVE_MS },
  );
}

async function created(api: ApiServer, path: string, body: object): Promise<void> {
  const { status, body: answer } = await api.request('POST', path, body);
  if (status !== 201) throw new Error(`POST ${path} was answered ${status}: ${JSON.stringify(answer)}`);
}
