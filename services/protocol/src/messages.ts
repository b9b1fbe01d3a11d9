/**
 * Messages and receipts on Redis Streams: names of streams, ids, and the forms of what lies in them.
 *
 * A message is one stream field `event`, a CloudEvent 1.0 as structured JSON; a receipt is one field `receipt`, JSON too.
 */
import { z } from 'zod';

export const MESSAGE_FIELD = 'event';
export const RECEIPT_FIELD = 'receipt';

/** `ordertx:messages:<stream>`: where a consumer's messages lie; its group has the stream's name. */
export function messagesStream(stream: string): string {
  return `ordertx:messages:${stream}`;
}

/** `ordertx:receipts:<replica>`: where a sender reads the answers. */
export function receiptsStream(replica: string): string {
  return `ordertx:receipts:${replica}`;
}

/** `<namespace>/<transaction>/<message>`: the same on every publication, so that the effect happens once. */
export function messageId(namespace: string, transaction: string, message: string): string {
  return `${namespace}/${transaction}/${message}`;
}

/** The reverse of `messageId`; undefined for an id that is not a transaction's message. */
export function parseMessageId(id: string): { readonly transaction: string; readonly message: string } | undefined {
  const [namespace, name, message, ...rest] = id.split('/');
  if (!namespace || !name || !message || rest.length > 0) return undefined;
  return { transaction: `${namespace}/${name}`, message };
}

export interface MessageEvent {
  readonly specversion: '1.0';
  readonly id: string;
  /** `ordertx/<namespace>/<flow>`. */
  readonly source: string;
  readonly type: string;
  /** The orderId. */
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  /** The decisionReason, and why in words. */
  readonly reason: string;
  readonly detail: string;
  /** The receipts stream of the sender; nothing else is accepted there. */
  readonly replyto: string;
  readonly traceparent?: string;
  /** The transaction's payload. */
  readonly data: unknown;
}

/** `failed` is for best effort only: nothing was done, the next publication is judged afresh. */
export const receiptSchema = z.object({
  id: z.string().min(1).max(512),
  consumer: z.string().min(1).max(128),
  result: z.enum(['delivered', 'refused', 'failed']),
  reason: z.string().max(2048).optional(),
});

export type Receipt = z.infer<typeof receiptSchema>;
