/**
 * What a stream's entry is: a message for one of the handlers, or something to refuse, and whom to tell so.
 *
 * Pure. Nothing is dropped in silence: whatever cannot be handled is a refusal with a reason that names the attribute.
 */
import {
  EVENT_ID_CHARS_MAX,
  eventSchema,
  MESSAGE_FIELD,
  originOf,
  replyToSchema,
  type MessageEvent,
} from '../../../protocol/src/index.ts';
import { describeIssues, inexactIssue, nestingIssue, validate } from '../http/validate.ts';
import { canonical } from '../participant/digest.ts';
import type { AnyHandler, ReceivedMessage } from './handler.ts';

/** The sender, as it named itself. */
export interface Sender {
  readonly id: string;
  readonly replyTo: string;
  /** To be echoed; undefined where the event has none, and then no receipt counts. */
  readonly token: string | undefined;
}

export type Judged =
  | {
      readonly kind: 'message';
      readonly message: ReceivedMessage<unknown>;
      readonly handler: AnyHandler;
      readonly sender: Sender;
    }
  /** `sender` is undefined where the entry does not say whom to tell. */
  | {
      readonly kind: 'refused';
      readonly reason: string;
      readonly sender: Sender | undefined;
      readonly type: string | undefined;
    };

export interface JudgeRules {
  readonly handlers: ReadonlyMap<string, AnyHandler>;
  /** Whose transactions this service takes part in. */
  readonly namespaces: readonly string[];
}

/** A payload may have 64 kB; what is far beyond it is no message of this system. */
export const EVENT_CHARS_MAX = 256 * 1024;

/** @param fields the entry's field names and values in turn, as Redis gives them */
export function judge(entryId: string, fields: readonly string[], rules: JudgeRules): Judged {
  const read = readEvent(fields);
  if (read.kind === 'refused') return { ...read, type: undefined };
  const { event } = read;
  const { id, type, replyto: replyTo, receipttoken: token } = event;
  const sender = { id, replyTo, token };
  const handler = rules.handlers.get(type);
  if (handler === undefined) {
    const known = [...rules.handlers.keys()].join(', ');
    return {
      kind: 'refused',
      sender,
      type: undefined,
      reason: `type: is not a message of this service, which takes ${known}`,
    };
  }
  const disagreement = disagreementIn(event, handler);
  if (disagreement !== undefined) return { kind: 'refused', sender, type, reason: disagreement };
  const namespace = foreignNamespace(event, rules.namespaces);
  if (namespace !== undefined) {
    const reason = `source: this service takes no part in transactions of namespace ${namespace}`;
    return { kind: 'refused', sender, type, reason };
  }
  const data = validate<unknown>(handler.data, event.data);
  if (data.kind === 'invalid')
    return { kind: 'refused', sender, type, reason: describeIssues(data.issues, 'data', 'data.') };
  if (
    handler.sentBy !== undefined &&
    id !== serviceMessageId(handler.sentBy.service, type, handler.sentBy.about(data.value))
  )
    return { kind: 'refused', sender, type, reason: 'id: is not that of what the data are about' };
  const form = canonical([event.source, type, event.data]);
  if (form === undefined) return { kind: 'refused', sender, type, reason: 'data: have no canonical form (RFC 8785)' };
  const message: ReceivedMessage<unknown> = {
    digest: form.digest,
    ...{ id, type, data: data.value, reason: inOneLine(event.reason), detail: inOneLine(event.detail) },
    publication: event.attempt === undefined ? `entry ${entryId}` : `attempt ${event.attempt}`,
    ...{ traceparent: event.traceparent, origin: originOf(event) },
  };
  return { kind: 'message', message, handler, sender };
}

/** Control characters would not survive a log line, nor NUL the database. */
function inOneLine(text: string | undefined): string {
  return (text ?? '').replaceAll(/\p{Cc}+/gu, ' ').trim();
}

type EventRead =
  | { readonly kind: 'event'; readonly event: MessageEvent }
  | { readonly kind: 'refused'; readonly reason: string; readonly sender: Sender | undefined };

function readEvent(fields: readonly string[]): EventRead {
  const at = fields.findIndex((name, index) => index % 2 === 0 && name === MESSAGE_FIELD);
  const text = at === -1 ? undefined : fields[at + 1];
  if (text === undefined) return unreadable(`has no field ${MESSAGE_FIELD}`);
  if (text.length > EVENT_CHARS_MAX) return unreadable(`is longer than ${EVENT_CHARS_MAX} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return unreadable('is not JSON');
  }
  const issue = nestingIssue(text, { within: 1 }) ?? inexactIssue(text);
  if (issue !== undefined)
    return { kind: 'refused', reason: describeIssues([issue], 'the event'), sender: senderOf(json) };
  const checked = validate<MessageEvent>(eventSchema, json);
  if (checked.kind === 'valid') return { kind: 'event', event: checked.value };
  return {
    kind: 'refused',
    reason: `not a CloudEvent of this system: ${describeIssues(checked.issues, 'the event')}`,
    sender: senderOf(json),
  };
}

function unreadable(what: string): EventRead {
  return { kind: 'refused', reason: `the entry ${what}: it is no CloudEvent`, sender: undefined };
}

/** Also a faulty event may say who sent it. */
function senderOf(json: unknown): Sender | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { id, replyto, receipttoken } = json as Readonly<Record<string, unknown>>;
  const replyTo = replyToSchema.safeParse(replyto);
  if (typeof id !== 'string' || id === '' || id.length > EVENT_ID_CHARS_MAX || !replyTo.success) return undefined;
  const token = eventSchema.shape.receipttoken.safeParse(receipttoken);
  return { id, replyTo: replyTo.data, token: token.success ? token.data : undefined };
}

/**
 * Why id, source and type do not belong together, or the message does not come from where the handler takes it from. So nobody can
 * use up the id of another sender's message, nor have it handled in another's name, by an event that is right for itself.
 */
function disagreementIn({ id, source, type }: MessageEvent, { sentBy }: AnyHandler): string | undefined {
  if (sentBy === undefined) {
    if (!TRANSACTION_SOURCE.test(source))
      return `source: ${type} is taken from transactions only, ordertx/<namespace>/<flow>`;
    return originOf({ id, source }) === undefined
      ? "id: must be <namespace>/<transaction>/<message>, of the source's namespace"
      : undefined;
  }
  const { service } = sentBy;
  if (source !== `ordertx/${service}`) return `source: ${type} is taken from ordertx/${service} only`;
  return id.startsWith(serviceMessageId(service, type, ''))
    ? undefined
    : `id: must be ${service}/${type}/<what it is about>`;
}

function serviceMessageId(service: string, type: string, about: string): string {
  return `${service}/${type}/${about}`;
}

const TRANSACTION_SOURCE = /^ordertx\/([^/]+)\/[^/]+$/;

/** The namespace of a transaction's message, where it is one that this service does not serve. */
function foreignNamespace({ source }: MessageEvent, namespaces: readonly string[]): string | undefined {
  const [, namespace] = TRANSACTION_SOURCE.exec(source) ?? [];
  return namespace === undefined || namespaces.includes(namespace) ? undefined : namespace;
}
