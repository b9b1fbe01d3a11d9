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

/** Where a transaction's message comes from. */
export interface MessageOrigin {
  readonly namespace: string;
  readonly flow: string;
  /** The transaction's, without its namespace. */
  readonly name: string;
  /** Its name in the flow. */
  readonly message: string;
}

/** Undefined for what a service sends of itself, and where id and source do not speak of the same namespace. */
export function originOf({ id, source }: { readonly id: string; readonly source: string }): MessageOrigin | undefined {
  const [, namespace, flow] = /^ordertx\/([^/]+)\/([^/]+)$/.exec(source) ?? [];
  const [inNamespace, name, message, ...rest] = id.split('/');
  if (!namespace || !flow || namespace !== inNamespace || !name || !message || rest.length > 0) return undefined;
  return { namespace, flow, name, message };
}

/** `ordertx:receipts:<replica>`: nothing else may be named as the place for a receipt, or a message could write anywhere. */
const REPLY_TO = /^ordertx:receipts:[A-Za-z0-9][-A-Za-z0-9_.]{0,127}$/;

export const replyToSchema = z
  .string()
  .regex(REPLY_TO, 'must be ordertx:receipts:<replica>')
  .describe('The receipts stream of the replica that sent it');

/** Of a receipt's reason, and of an event's reason and detail. */
export const REASON_CHARS_MAX = 2048;
export const EVENT_ID_CHARS_MAX = 512;

/** Of the token with which a receipt proves that its sender could read the message; opaque to everybody but who made it. */
const receiptTokenSchema = z.string().min(1).max(128);

const extension = z.string().max(REASON_CHARS_MAX).optional();

/** A message as it lies on its stream. Attributes it does not name are CloudEvents extensions, and are let pass. */
export const eventSchema = z
  .looseObject({
    specversion: z.literal('1.0'),
    id: z
      .string()
      .max(EVENT_ID_CHARS_MAX)
      .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
      .describe('The same on every publication: <namespace>/<transaction>/<message>'),
    source: z
      .string()
      .min(1)
      .max(512)
      .describe('ordertx/<namespace>/<flow> of a transaction, ordertx/<service> of a service'),
    type: z
      .string()
      .max(128)
      .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces'),
    subject: z.string().max(512).optional().describe('The orderId'),
    time: z.iso.datetime({ offset: true }).optional(),
    datacontenttype: z.literal('application/json').optional(),
    reason: extension.describe("The transaction's decisionReason"),
    detail: extension.describe('Why, in words'),
    replyto: replyToSchema,
    receipttoken: receiptTokenSchema
      .optional()
      .describe("Unguessable, the sender's: a receipt counts only if it echoes it"),
    attempt: z
      .int()
      .min(1)
      .optional()
      .describe('Which publication of this message it is, from 1; a repeat after a crash may carry the same number'),
    traceparent: z.string().max(128).optional(),
    data: z.unknown(),
  })
  .describe('A CloudEvent 1.0 in structured JSON, the value of the stream field `event`');
export type MessageEvent = z.infer<typeof eventSchema>;

/** `failed` is for best effort only: nothing was done, the next publication is judged afresh. */
export const receiptSchema = z
  .object({
    id: z.string().min(1).max(EVENT_ID_CHARS_MAX),
    consumer: z.string().min(1).max(128),
    result: z.enum(['delivered', 'refused', 'failed']),
    token: receiptTokenSchema.optional().describe("The event's receipttoken, as it came"),
    reason: z.string().max(REASON_CHARS_MAX).optional(),
  })
  .describe('What a consumer answers, the value of the stream field `receipt`');

export type Receipt = z.infer<typeof receiptSchema>;
