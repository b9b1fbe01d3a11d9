/**
 * The transactions that the CEL benchmark stores: what services create and what the controller writes on the happy path.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../crds/generated/ordertransaction.ts';
import type { ApiServer } from '../../local/control-plane/api.ts';

export interface Shape {
  readonly name: string;
  readonly flow: string;
  /** What this flow's payload has beside the order itself. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly messages: NonNullable<OrderTransactionStatus['messages']>;
}

const CONCURRENCY = 8;
const AT = '2026-11-22T23:10:00Z';
export const EXPIRES = '2026-11-22T23:15Z';

/** As crds/flows/create-order.yaml has it. */
export const CREATE_ORDER: Shape = {
  name: 'create-order: 2 branches, 2 messages',
  flow: 'create-order',
  payload: {},
  messages: ['lock-dispatch', 'lock-wms'].map((name) => ({ name, delivery: 'Reliable', state: 'Pending' })),
};

export const SHAPES: readonly Shape[] = [
  { name: 'create-order: 2 branches, no messages', flow: 'create-order', payload: {}, messages: [] },
  {
    name: 'pay-order: 2 branches, 5 messages',
    flow: 'pay-order',
    payload: { paymentId: 'p2001', amountCents: 11498 },
    messages: [
      { name: 'schedule-dispatch', delivery: 'Reliable', state: 'Pending' },
      { name: 'outbound-wms', delivery: 'Reliable', state: 'Pending' },
      { name: 'points-member', delivery: 'Reliable', state: 'Pending' },
      { name: 'payment-sms', delivery: 'BestEffort', state: 'Pending' },
      { name: 'payment-mail', delivery: 'BestEffort', state: 'Pending' },
    ],
  },
];

let count = 0;

/** Takes this many transactions through their life, a few at a time. */
export async function runTransactions(
  api: ApiServer,
  collection: string,
  group: string,
  shape: Shape,
  transactions: number,
): Promise<void> {
  let left = transactions;
  const lane = async () => {
    while (left-- > 0) await runTransaction(api, collection, group, shape);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}

async function runTransaction(api: ApiServer, collection: string, group: string, shape: Shape): Promise<void> {
  const send = async (...request: Parameters<ApiServer['request']>): Promise<OrderTransaction> => {
    const { status, body } = await api.request(...request);
    if (status >= 300) throw new Error(`${request[0]} ${request[1]} was answered ${status}: ${JSON.stringify(body)}`);
    return body as OrderTransaction;
  };

  const transaction = manifest(group, shape, (count += 1));
  const path = `${collection}/${transaction.metadata.name}`;
  const created = await send('POST', collection, transaction);
  const decision = decided(shape);
  const confirming = await send('PUT', `${path}/status`, { ...created, status: decision });
  await send('PUT', `${path}/status`, { ...confirming, status: ended(decision) });
  await send('DELETE', path);
}

export function manifest(group: string, shape: Shape, number: number) {
  const orderId = `o${number}`;
  const name = `${shape.flow}-${orderId}`;
  const lines = [
    { skuId: 'sku-1001', quantity: 2, unitPriceCents: 1299 },
    { skuId: 'sku-2044', quantity: 1, unitPriceCents: 8900 },
  ];
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  return {
    apiVersion: `${group}/v1alpha1`,
    kind: 'OrderTransaction',
    metadata: { name, annotations: { 'ordertx.dev/traceparent': traceparent } },
    spec: {
      flow: shape.flow,
      orderId,
      payload: { orderId, userId: 'u77', lines, totalCents: 11498, ...shape.payload },
    },
  };
}

/** The first write: the tries' results and the decision. */
export function decided({ messages }: Shape): OrderTransactionStatus {
  return {
    phase: 'Confirming',
    decision: 'Confirm',
    decisionReason: 'AllTried',
    observedGeneration: 1,
    startedAt: AT,
    decidedAt: AT,
    branches: ['order', 'inventory'].map((name) => ({ name, state: 'Tried', attempts: 1 })),
    ...(messages.length > 0 && { messages }),
  };
}

/** The last write: everything after the decision. */
export function ended(decision: OrderTransactionStatus): OrderTransactionStatus {
  return {
    ...decision,
    phase: 'Succeeded',
    finishedAt: AT,
    expires: EXPIRES,
    branches: decision.branches?.map((branch) => ({ ...branch, state: 'Confirmed' })),
    ...(decision.messages && {
      messages: decision.messages.map((message) => ({ ...message, state: 'Delivered', attempts: 1 })),
    }),
    conditions: (['Succeeded', 'Finished'] as const).map((type) => ({
      ...{ type, status: 'True', reason: 'Confirmed', message: 'Every branch is confirmed.' },
      ...{ lastTransitionTime: AT, observedGeneration: 1 },
    })),
  };
}
