/**
 * The names of an order's transactions. A name is the attempt's key: creating the same attempt twice is harmless, two attempts are
 * two transactions, and whatever carries another name is no attempt of the order's at all.
 *
 * 1. Payloads can be copied, names within a namespace cannot. So participants and consumers hold a transaction to its name: one of
 *    another name, or in another namespace than the order's creation, changes nothing, and its compensation undoes nothing.
 * 2. An order's transactions all lie in the namespace of its create-order transaction.
 * 3. Whoever may create transactions in another namespace that is served can have a flow there send the shop's messages, before any of
 *    the shop's own: so they count only from the namespace of the order service, not from the first that sends one.
 * 4. A flow's messages count only from an attempt of this flow, under the name that the flow gives them.
 */
import { formatTransaction, parseTransaction } from './headers.ts';
import type { MessageOrigin } from './messages.ts';

/** Of an order's create-order transaction. */
export function createName(orderId: string): string {
  return `create-${orderId}`;
}

/** Of a payment's pay-order transaction. */
export function payName(paymentId: string): string {
  return `pay-${paymentId}`;
}

/** The reverse of `payName`; undefined for any other name. */
export function paymentIdOf(name: string): string | undefined {
  return /^pay-(.+)$/.exec(name)?.[1];
}

/** Of an order's `number`th close-order transaction, counted from 1 in the order's row. */
export function closeName(orderId: string, number: number): string {
  return `close-${orderId}-${number}`;
}

/** The reverse of `createName`; nonsense for a name that was not made by it. */
export function createdOrderIdOf(name: string): string {
  return name.replace(/^create-/, '');
}

/** From a close-order transaction's name; nonsense for any other. */
export function closedOrderIdOf(name: string): string {
  return name.replace(/^close-/, '').replace(/-\d+$/, '');
}

/** The number in the name of one of this order's closes; 0 for a name that is no such one. */
export function closeNumberOf(name: string, orderId: string): number {
  const prefix = `close-${orderId}-`;
  const number = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^[1-9]\d{0,5}$/.test(number) ? Number(number) : 0;
}

/** Of a transaction. */
export type Flow = 'create-order' | 'pay-order' | 'close-order';

export function isFlow(name: string): name is Flow {
  return name === 'create-order' || name === 'pay-order' || name === 'close-order';
}

/** What its name is made of. */
export interface Named {
  readonly orderId: string;
  /** Of a pay-order. */
  readonly paymentId?: string;
}

/** Whether this is the name of the flow's attempt for this order or payment. Which closes were begun only the order's row knows. */
export function isAttempt(flow: Flow, name: string, { orderId, paymentId }: Named): boolean {
  switch (flow) {
    case 'create-order':
      return name === createName(orderId);
    case 'pay-order':
      return paymentId !== undefined && name === payName(paymentId);
    case 'close-order':
      return closeNumberOf(name, orderId) > 0;
  }
}

/** `<namespace>/<name>` of another attempt of the order that `transaction` created; undefined where `transaction` is no transaction. */
export function besides(transaction: string, name: string): string | undefined {
  const created = parseTransaction(transaction);
  return created && formatTransaction({ namespace: created.namespace, name });
}

/** What a try is refused with that comes under another name; read by customer-service people. */
export const FOREIGN_ATTEMPT =
  'this transaction is a copy, or was made by hand: its name or namespace is not that of a transaction of the order, so it changes nothing';

/** What becomes of a message from a namespace in which the order's transactions do not lie. */
export const OTHER_NAMESPACE = {
  kind: 'foreign',
  detail: "it comes from another namespace than that of the order's transactions",
} as const;

/** Which attempt sends what: crds/flows/ says the same. */
const SENT_BY = {
  'dispatch.lock': { flow: 'create-order', message: 'lock-dispatch' },
  'dispatch.schedule': { flow: 'pay-order', message: 'schedule-dispatch' },
  'dispatch.unlock': { flow: 'close-order', message: 'unlock-dispatch' },
  'stock.lock': { flow: 'create-order', message: 'lock-wms' },
  'stock.outbound': { flow: 'pay-order', message: 'outbound-wms' },
  'stock.release': { flow: 'close-order', message: 'unlock-wms' },
  'points.grant': { flow: 'pay-order', message: 'points' },
  'payment.refund': { flow: 'pay-order', message: 'refund' },
  'sms.paid': { flow: 'pay-order', message: 'payment-sms' },
} as const satisfies Readonly<Record<string, { readonly flow: Flow; readonly message: string }>>;
export type AttemptMessage = keyof typeof SENT_BY;

/** By message type: the flow whose attempts send it, and the name it has there. */
export function sentBy(type: AttemptMessage): { readonly flow: Flow; readonly message: string } {
  return SENT_BY[type];
}

/**
 * Why a message of this type counts for nothing; undefined where it comes from the attempt that may send it.
 *
 * @param shop the namespace of the order service's transactions; left out by whoever asks it where the order's lie
 */
export function foreignMessage(
  type: AttemptMessage,
  origin: MessageOrigin | undefined,
  named: Named,
  shop?: string,
): string | undefined {
  const { flow, message } = sentBy(type);
  if (origin === undefined)
    return `${type} counts only from a transaction of flow ${flow}, and no transaction sent this one`;
  if (origin.flow !== flow) return `${type} counts only from flow ${flow}, and this one comes from flow ${origin.flow}`;
  if (origin.message !== message || !isAttempt(flow, origin.name, named))
    return `${type} counts only as the message ${message} of the order's own ${flow} transaction, and this is ${origin.message} of ${origin.name}`;
  if (shop !== undefined && origin.namespace !== shop) return OTHER_NAMESPACE.detail;
  return undefined;
}
