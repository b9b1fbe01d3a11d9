/**
 * A customer of the order service, and the controller's calls to its branch.
 */
import { randomUUID } from 'node:crypto';
import type { Operation } from '../../services/protocol/src/index.ts';
import { callBranch, type BranchAnswer } from './call-branch.ts';

export interface PlacedOrder {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly body: {
    readonly orderId: string;
    readonly transaction: string;
    /** The order's status; in a problem document the HTTP status. */
    readonly status: string | number;
    readonly reason?: string;
    readonly detail?: string;
    readonly code?: string;
  };
}

export interface Wish {
  readonly key?: string;
  readonly prefer?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export const TEAPOTS = { userId: 'u1', lines: [{ skuId: 'teapot', quantity: 2, unitPriceCents: 1250 }] };

export async function placeOrder(url: string, wish: Wish = {}): Promise<PlacedOrder> {
  const { key = randomUUID(), prefer, body = TEAPOTS, signal } = wish;
  const answer = await fetch(`${url}/orders`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': key,
      ...(prefer !== undefined && { prefer }),
      ...wish.headers,
    },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
  const { status, headers } = answer;
  return { status, type: headers.get('content-type'), headers, body: (await answer.json()) as PlacedOrder['body'] };
}

export interface OrderView {
  readonly orderId: string;
  readonly userId: string;
  readonly status: string;
  readonly totalCents: number;
  readonly lines: readonly unknown[];
  readonly history: readonly { readonly status: string; readonly at: string; readonly reason: string | null }[];
}

/** Undefined for an order nobody placed. */
export async function orderView(url: string, orderId: string): Promise<OrderView | undefined> {
  const answer = await fetch(`${url}/orders/${orderId}`);
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw new Error(`GET /orders/${orderId} was answered ${answer.status}`);
  return (await answer.json()) as OrderView;
}

export interface OrderBranchCall {
  readonly orderId: string;
  readonly namespace: string;
  readonly operation: Operation;
  /** Default: the one that the order service creates. */
  readonly transaction?: string;
  readonly reason?: string;
  readonly detail?: string;
  /** Default: what TEAPOTS becomes. */
  readonly payload?: unknown;
}

export async function callOrderBranch(url: string, call: OrderBranchCall): Promise<BranchAnswer> {
  const { orderId, namespace, operation, reason, detail } = call;
  return callBranch({
    ...{ url, path: '/tcc/create-order', branch: 'order', operation },
    transaction: call.transaction ?? `${namespace}/create-${orderId}`,
    payload: call.payload ?? { orderId, ...TEAPOTS, totalCents: 2500 },
    ...(reason !== undefined && { reason }),
    ...(detail !== undefined && { detail }),
  });
}
