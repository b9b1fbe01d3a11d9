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

export const TRACEPARENT_ANNOTATION = 'ordertx.dev/traceparent';

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

/** Of an order's create-order transaction. */
export function createName(orderId: string): string {
  return `create-${orderId}`;
}

/** The reverse of `createName`; nonsense for a name that was not made by it. */
export function orderIdOf(transactionName: string): string {
  return transactionName.replace(/^create-/, '');
}

/** From a close-order transaction's name, `close-<orderId>-<n>`; nonsense for any other. */
export function closedOrderIdOf(transactionName: string): string {
  return transactionName.replace(/^close-/, '').replace(/-\d+$/, '');
}

/** The n of `close-<orderId>-<n>`; 0 for a name that is no such one. */
export function closeNumberOf(transactionName: string, orderId: string): number {
  const prefix = `close-${orderId}-`;
  const number = transactionName.startsWith(prefix) ? transactionName.slice(prefix.length) : '';
  return /^[1-9]\d{0,5}$/.test(number) ? Number(number) : 0;
}

/** Of a payment's pay-order transaction. */
export function payName(paymentId: string): string {
  return `pay-${paymentId}`;
}

/** `<namespace>/<name>` without its namespace. */
export function nameIn(transaction: string): string {
  return transaction.slice(transaction.indexOf('/') + 1);
}

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
