/**
 * What a service brings to its consumer: one handler per type of message.
 *
 * The consumer owns the stream, the inbox and the receipts; a handler owns the business rows.
 *
 * 1. A `once` handler works inside the database transaction that holds the inbox row: what it did is kept only with `delivered`,
 *    and then never done again. It calls nothing over the network: what has to be asked is asked `before`.
 * 2. A `best-effort` handler calls somebody outside, so nothing can make that and its own rows one; it sees to it itself that one
 *    publication is one call. Its message is published a few times at most, and nothing waits for it.
 * 3. Messages come in any order and more than once. A handler keeps the furthest state, whatever comes when.
 * 4. What comes from somebody this handler does not listen to is foreign: it is answered, so that its sender ends, and has no effect.
 *    Its id is not used up, so nobody can keep the right message from being heard.
 * 5. What a handler throws is nobody's answer: nothing is kept, no receipt is sent, and the sender publishes again.
 */
import type { PoolClient } from 'pg';
import type { ZodType } from 'zod';
import type { MessageOrigin } from '../../../protocol/src/index.ts';
import type { UsualCase } from '../postgres/joined-statement.ts';

export interface ReceivedMessage<Data> {
  /** The same on every publication. */
  readonly id: string;
  readonly type: string;
  readonly data: Data;
  /** Of its source, type and data: the same on every publication. */
  readonly digest: string;
  /** Of a transaction's message; undefined for what a service sends of itself. */
  readonly origin: MessageOrigin | undefined;
  /** The transaction's decisionReason, and why in words; empty for what a service sends of itself. */
  readonly reason: string;
  readonly detail: string;
  /** Names this publication among those of the message; a publication that is repeated after a crash keeps its name. */
  readonly publication: string;
  /** W3C Trace Context, where the sender gave one. */
  readonly traceparent: string | undefined;
}

/** Done, now or before. `afterwards` runs once the database transaction is committed. */
export interface Delivered {
  readonly kind: 'delivered';
  readonly afterwards?: () => void;
}
/** A no for good, in words for people. What was done is undone; the sender keeps the message in view and may send it again. */
export interface RefusedMessage {
  readonly kind: 'refused';
  readonly reason: string;
}
/** Not yet: what was done is undone, no receipt is sent, and so it comes again. */
export interface NotYet {
  readonly kind: 'not-yet';
  readonly detail: string;
}
/** From somebody who may not say so: answered without an effect. `detail` is for the log. */
export interface ForeignMessage {
  readonly kind: 'foreign';
  readonly detail: string;
}
/** It could not be done just now; the next publication is another attempt. */
export interface FailedAttempt {
  readonly kind: 'failed';
  readonly reason: string;
}

interface Typed<Data> {
  readonly type: string;
  readonly data: ZodType<Data>;
  /**
   * Of a message that a service sends of itself: which, and what its id is about. Without it the message is taken from transactions
   * only; from anybody else it is refused.
   */
  readonly sentBy?: { readonly service: string; about(data: Data): string };
  /** Why the message is foreign; undefined where it is not, as far as the message itself says. Nothing is handled of one that is. */
  foreign?(message: ReceivedMessage<Data>): string | undefined;
}
export interface OnceHandler<Data> extends Typed<Data> {
  readonly kind: 'once';
  /**
   * What others say of the message, asked before the database transaction and within seconds: why it cannot be handled, or undefined.
   * It may be asked several times of one message, and at the same moment.
   */
  before?(message: ReceivedMessage<Data>): Promise<RefusedMessage | NotYet | ForeignMessage | undefined>;
  handle(
    client: PoolClient,
    message: ReceivedMessage<Data>,
  ): Promise<Delivered | RefusedMessage | NotYet | ForeignMessage>;
  /**
   * What `handle` usually comes to for a message that was not handled before, which is delivered, as one statement: it runs joined with
   * the inbox row, instead of `handle`. Where it is not the usual case it changes nothing, and `handle` is run.
   */
  usual?(message: ReceivedMessage<Data>): UsualCase | undefined;
}
export interface BestEffortHandler<Data> extends Typed<Data> {
  readonly kind: 'best-effort';
  attempt(message: ReceivedMessage<Data>): Promise<Delivered | RefusedMessage | FailedAttempt>;
}
export type Handler<Data> = OnceHandler<Data> | BestEffortHandler<Data>;

/** A handler of any message: what the consumer holds. It hands a handler only data that its own schema has passed. */
export type AnyHandler = Handler<unknown>;
