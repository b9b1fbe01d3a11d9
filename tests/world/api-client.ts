/**
 * The controller's own transport to the world's API server, and the few objects that tests make with it.
 */
import { KubeConfig } from '@kubernetes/client-node';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { loadKubeConfig } from '../../controller/src/kubernetes/credentials.ts';
import { FLOWS, pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import { HttpTransport, type ApiRequest, type Transport } from '../../controller/src/kubernetes/transport.ts';
import { world } from './world.ts';

/** The administrator's kubeconfig, with the server that `port` names (a proxy in front of it) or its own. */
export function adminKubeConfig(port?: number, path = world().kubeconfig): KubeConfig {
  const config = loadKubeConfig(path);
  if (port === undefined) return config;
  const behind = new KubeConfig();
  behind.loadFromOptions({
    clusters: config.clusters.map((cluster) => ({ ...cluster, server: `https://127.0.0.1:${port}` })),
    contexts: config.contexts,
    users: config.users,
    currentContext: config.currentContext,
  });
  return behind;
}

export function adminTransport(port?: number, path?: string): HttpTransport {
  return new HttpTransport({ kubeConfig: adminKubeConfig(port, path), userAgent: 'ordertx-tests' });
}

/** The body of a 2xx answer; anything else is a failure of the test. */
export async function expectOk<T>(transport: Transport, request: ApiRequest): Promise<T> {
  const answer = await transport.request<T>(request);
  if (answer.kind === 'ok') return answer.body;
  throw new Error(`${request.method} ${request.path}: ${JSON.stringify(answer)}`);
}

/** As if by kubectl: its managed fields are kept (crds/managed-fields.yaml), as they are of everything on older API servers. */
export function createTransaction(
  transport: Transport,
  namespace: string,
  name: string,
  spec: Partial<OrderTransaction['spec']> = {},
): Promise<OrderTransaction> {
  const body = {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { name, namespace },
    spec: { flow: 'create-order', orderId: 'o1', payload: {}, ...spec },
  };
  const query = { fieldManager: 'kubectl-create' };
  return expectOk(transport, { method: 'POST', path: pathOf(TRANSACTIONS, namespace), query, body });
}

/** Deletes a transaction whatever its phase: annotated as abandoned first, as the delete guard asks for. */
export async function abandonTransaction(transport: Transport, namespace: string, name: string): Promise<void> {
  const path = pathOf(TRANSACTIONS, namespace, name);
  const body = { metadata: { annotations: { 'ordertx.dev/abandon': 'made by a test' } } };
  await expectOk(transport, { method: 'PATCH', path, body });
  await expectOk(transport, { method: 'DELETE', path });
}

export function createFlow(transport: Transport, namespace: string, name: string): Promise<TransactionFlow> {
  const participants = [{ name: 'order', endpoint: { url: 'http://127.0.0.1:1' }, path: `/tcc/${name}` }];
  const body = {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'TransactionFlow',
    metadata: { name, namespace },
    spec: { participants },
  };
  return expectOk(transport, { method: 'POST', path: pathOf(FLOWS, namespace), body });
}
