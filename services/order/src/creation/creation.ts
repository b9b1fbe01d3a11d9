/**
 * An order's creation: what is in the outbox, and the OrderTransaction made of it.
 *
 * The object is the same on every attempt: its name is the attempt's key, so creating it twice is harmless.
 */
import type { OrderTransaction, OrderTransactionSpec } from '../../../../crds/generated/ordertransaction.ts';
import { parseTransaction, type CreateOrderPayload } from '../../../protocol/src/index.ts';

export const CREATE_ORDER_FLOW = 'create-order';
export const TRACEPARENT_ANNOTATION = 'ordertx.dev/traceparent';

export interface Creation {
  /** `<namespace>/<name>`. */
  readonly transaction: string;
  readonly payload: CreateOrderPayload;
  readonly traceparent: string;
}

/** As it is sent: fields with a default in the CRD are left to the API server. */
export type NewTransaction = Pick<OrderTransaction, 'apiVersion' | 'kind' | 'metadata'> & {
  readonly spec: Pick<OrderTransactionSpec, 'flow' | 'orderId' | 'payload'>;
};

export function transactionNameOf(orderId: string): string {
  return `create-${orderId}`;
}

/** The reverse of `transactionNameOf`; nonsense for a name that was not made by it. */
export function orderIdOf(transactionName: string): string {
  return transactionName.replace(/^create-/, '');
}

export function toTransaction({ transaction, payload, traceparent }: Creation): NewTransaction {
  const name = parseTransaction(transaction);
  if (name === undefined) throw new Error(`${transaction} is not <namespace>/<name>`);
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { ...name, annotations: { [TRACEPARENT_ANNOTATION]: traceparent } },
    spec: { flow: CREATE_ORDER_FLOW, orderId: payload.orderId, payload: { ...payload } },
  };
}
