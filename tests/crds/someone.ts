/** People whom the API server knows by name, with the rights that a test gives them. */
import { connect, type ApiAccess, type ApiServer } from '../../local/control-plane/api.ts';
import { waitFor } from '../../local/deadline.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const EFFECTIVE_MS = 20_000;

/** A client of `name`'s, who may do this with the transactions of the namespace and nothing else; once RBAC knows. */
export async function someoneWith(
  admin: ApiAccess,
  namespace: string,
  name: string,
  ...verbs: readonly string[]
): Promise<ApiServer> {
  const api = connect(admin);
  await post(api, `${RBAC}/namespaces/${namespace}/roles`, {
    metadata: { name },
    rules: [{ apiGroups: ['ordertx.dev'], resources: ['ordertransactions'], verbs }],
  });
  await post(api, `${RBAC}/namespaces/${namespace}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'User', name, apiGroup: 'rbac.authorization.k8s.io' }],
  });
  await api.close();

  const they = connect({ ...admin, as: name });
  const asked = { namespace, group: 'ordertx.dev', resource: 'ordertransactions', verb: verbs[0] };
  await waitFor(
    async () => {
      const { body } = await they.request('POST', REVIEWS, { spec: { resourceAttributes: asked } });
      return (body as { status?: { allowed?: boolean } }).status?.allowed === true;
    },
    { what: `the rights of ${name} to become effective`, deadlineMs: EFFECTIVE_MS },
  );
  return they;
}

async function post(api: ApiServer, path: string, body: object): Promise<void> {
  const answer = await api.request('POST', path, body);
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
}
