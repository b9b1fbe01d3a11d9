/**
 * One OrderTransaction in the real API server, and the steps that tests take with it.
 *
 * A step is either a status as the controller would write it (the whole status, on the newest copy) or a merge patch of
 * the spec as a person would make it. The API server's verdict is a value, so a test can say what it expects of both.
 */
import type { Branch, BranchState, Message, OrderTransactionStatus } from '../../crds/generated/ordertransaction.ts';
import { connect, type ApiAccess, type ApiAnswer, type ApiServer } from '../../local/control-plane/api.ts';
import { world, type World } from '../world/world.ts';

type AdminOf = Pick<World, 'apiServerUrl' | 'token' | 'certificate'>;

export type Step =
  | { readonly kind: 'status'; readonly status: OrderTransactionStatus }
  | { readonly kind: 'statusRemoved' }
  | { readonly kind: 'spec'; readonly patch: Readonly<Record<string, unknown>> };

export type Verdict =
  | { readonly kind: 'accepted'; readonly object: unknown }
  | { readonly kind: 'refused'; readonly status: number; readonly message: string };

export interface StoredTransaction {
  readonly path: string;
  take(step: Step): Promise<Verdict>;
}

const API = '/apis/ordertx.dev/v1alpha1';

export function adminAccess({ apiServerUrl, token, certificate }: AdminOf = world()): ApiAccess {
  return { url: apiServerUrl, token, certificate };
}

export function connectAsAdmin(): ApiServer {
  return connect(adminAccess());
}

export function collectionPath(namespace: string, plural = 'ordertransactions'): string {
  return `${API}/namespaces/${namespace}/${plural}`;
}

/** A transaction's manifest; `spec` replaces or adds fields. */
export function manifest(name: string, spec: Readonly<Record<string, unknown>> = {}): object {
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { name },
    spec: { flow: 'create-order', orderId: 'o1001', payload: { orderId: 'o1001', userId: 'u7' }, ...spec },
  };
}

export async function storeTransaction(
  api: ApiServer,
  namespace: string,
  name: string,
  spec: Readonly<Record<string, unknown>> = {},
): Promise<StoredTransaction> {
  const created = verdictOf(await api.request('POST', collectionPath(namespace), manifest(name, spec)));
  if (created.kind === 'refused') throw new Error(`the transaction was not created: ${created.message}`);

  const path = `${collectionPath(namespace)}/${name}`;
  return {
    path,
    take: async (step) => {
      if (step.kind === 'spec') return verdictOf(await api.request('PATCH', path, { spec: step.patch }));
      const { body } = await api.request('GET', path);
      const { status: _stored, ...rest } = body as { status?: unknown };
      const next = step.kind === 'status' ? { ...rest, status: step.status } : rest;
      return verdictOf(await api.request('PUT', `${path}/status`, next));
    },
  };
}

export function verdictOf(answer: ApiAnswer): Verdict {
  if (answer.status < 300) return { kind: 'accepted', object: answer.body };
  return { kind: 'refused', status: answer.status, message: (answer.body as { message?: string }).message ?? '' };
}

/** The branches `order` and `inventory`, in these states. */
export function branches(order: BranchState, inventory: BranchState): readonly Branch[] {
  return [
    { name: 'order', state: order, attempts: 1 },
    { name: 'inventory', state: inventory, attempts: 1 },
  ];
}

/** A reliable message for the warehouse and a best-effort one for the customer, in these states. */
export function messages(warehouse: Message['state'], customer: Message['state'] = 'Pending'): readonly Message[] {
  return [
    { name: 'lock-wms', delivery: 'Reliable', state: warehouse },
    { name: 'sms', delivery: 'BestEffort', state: customer },
  ];
}

export const status = (value: OrderTransactionStatus): Step => ({ kind: 'status', status: value });
export const spec = (patch: Readonly<Record<string, unknown>>): Step => ({ kind: 'spec', patch });
