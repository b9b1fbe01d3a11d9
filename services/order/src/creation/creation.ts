/**
 * A transaction that this service wants created: what is in the outbox, and the OrderTransaction made of it.
 *
 * The object is the same on every attempt: its name is the attempt's key, so creating it twice is harmless.
 */
import type { OrderTransaction, OrderTransactionSpec } from '../../../../crds/generated/ordertransaction.ts';
import {
  parseTransaction,
  type CloseOrderPayload,
  type CreateOrderPayload,
  type PayOrderPayload,
} from '../../../protocol/src/index.ts';
import { TRACEPARENT_ANNOTATION } from '../../../tracing/src/transaction-trace.ts';

export type Creation = {
  /** `<namespace>/<name>`. */
  readonly transaction: string;
  readonly traceparent: string;
} & (
  | { readonly flow: 'create-order'; readonly payload: CreateOrderPayload }
  | { readonly flow: 'pay-order'; readonly payload: PayOrderPayload }
  | { readonly flow: 'close-order'; readonly payload: CloseOrderPayload }
);

/** As it is sent: fields with a default in the CRD are left to the API server. */
export type NewTransaction = Pick<OrderTransaction, 'apiVersion' | 'kind' | 'metadata'> & {
  readonly spec: Pick<OrderTransactionSpec, 'flow' | 'orderId' | 'payload'>;
};

export function toTransaction({ transaction, flow, payload, traceparent }: Creation): NewTransaction {
  const name = parseTransaction(transaction);
  if (name === undefined) throw new Error(`${transaction} is not <namespace>/<name>`);
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { ...name, annotations: { [TRACEPARENT_ANNOTATION]: traceparent } },
    spec: { flow, orderId: payload.orderId, payload: { ...payload } },
  };
}
