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
import { describeIssues, validate } from '../http/validate.ts';
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
  const namespace = foreignNamespace(event, rules.namespaces);
  if (namespace !== undefined) {
    const reason = `source: this service takes no part in transactions of namespace ${namespace}`;
    return { kind: 'refused', sender, type, reason };
  }
  const data = validate<unknown>(handler.data, event.data);
  if (data.kind === 'invalid')
    return { kind: 'refused', sender, type, reason: describeIssues(data.issues, 'data', 'data.') };
  const message: ReceivedMessage<unknown> = {
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

/** The namespace of a transaction's message, where it is one that this service does not serve. */
function foreignNamespace({ source }: MessageEvent, namespaces: readonly string[]): string | undefined {
  const [, namespace] = /^ordertx\/([^/]+)\/[^/]+$/.exec(source) ?? [];
  return namespace === undefined || namespaces.includes(namespace) ? undefined : namespace;
}
