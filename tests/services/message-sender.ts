/**
 * Stands where the controller and the other services' relays stand: what it publishes lies on the stream as theirs does.
 *
 * Each publication names a receipts stream of its own, so that a receipt belongs to just that one.
 */
import type { Redis } from 'ioredis';
import { waitFor } from '../../local/deadline.ts';
import {
  closeName,
  createName,
  MESSAGE_FIELD,
  messageId,
  messagesStream,
  payName,
  RECEIPT_FIELD,
  receiptSchema,
  receiptsStream,
  sentBy,
  type AttemptMessage,
  type MessageEvent,
  type Receipt,
} from '../../services/protocol/src/index.ts';
import { TEST_NAMESPACE } from './running.ts';

export type Published = Pick<MessageEvent, 'id' | 'type' | 'data'> & Partial<MessageEvent>;

export interface SentMessage {
  readonly type: string;
  readonly data: unknown;
  /** Default: that of the attempt which sends it. */
  readonly id?: string;
}

const DEADLINE_MS = 20_000;
const LOOK_EVERY_MS = 5;

export class MessageSender {
  readonly #redis: Redis;
  readonly #stream: string;
  #answered = 0;

  /** @param redis closed by whoever opened it */
  constructor(redis: Redis, service: string) {
    this.#redis = redis;
    this.#stream = messagesStream(service);
  }

  /** Publishes once and resolves with the receipt. */
  async send({ type, data, id = idOf(type, data) }: SentMessage): Promise<Receipt> {
    const [receipt] = await this.publish({
      ...{ id, type, subject: orderIdOf(data), time: new Date().toISOString(), reason: 'AllTried', detail: '', data },
    });
    if (receipt === undefined) throw new Error(`no receipt of ${id}`);
    return receipt;
  }

  /** Publishes all of them at the same moment and resolves with their receipts, in the order in which they came. */
  async publish(...messages: readonly Published[]): Promise<readonly Receipt[]> {
    const replyto = receiptsStream(`test-${String(++this.#answered)}`);
    const commands = this.#redis.pipeline();
    for (const message of messages) {
      const event: MessageEvent = {
        ...{ specversion: '1.0', source: sourceOf(message.type), datacontenttype: 'application/json' },
        ...{ replyto, attempt: 1, ...message },
      };
      commands.xadd(this.#stream, '*', MESSAGE_FIELD, JSON.stringify(event));
    }
    await commands.exec();
    return waitFor(
      async () => {
        const entries = await this.#redis.xrange(replyto, '-', '+');
        return entries.length >= messages.length && entries.map(([, fields]) => receiptIn(fields));
      },
      { what: `${String(messages.length)} receipts`, deadlineMs: DEADLINE_MS, everyMs: LOOK_EVERY_MS },
    );
  }

  /** Publishes once and resolves when it is taken off the stream; rejects if it was given a receipt. */
  async publishUnanswered(message: Published): Promise<void> {
    const replyto = receiptsStream(`test-${String(++this.#answered)}`);
    const event = { specversion: '1.0', source: sourceOf(message.type), replyto, attempt: 1, ...message };
    await this.#redis.xadd(this.#stream, '*', MESSAGE_FIELD, JSON.stringify(event));
    await waitFor(async () => (await this.#redis.xlen(this.#stream)) === 0, {
      ...{ what: `${message.id} to be taken off the stream`, deadlineMs: DEADLINE_MS, everyMs: LOOK_EVERY_MS },
    });
    if ((await this.#redis.exists(replyto)) > 0) throw new Error(`${message.id} was given a receipt`);
  }
}

function receiptIn(fields: readonly string[]): Receipt {
  return receiptSchema.parse(JSON.parse(fields[fields.indexOf(RECEIPT_FIELD) + 1] ?? ''));
}

function orderIdOf(data: unknown): string {
  return (data as { readonly orderId: string }).orderId;
}

/** Of the message that the order's own transaction sends; of a type that no transaction sends, just any. */
export function idOf(type: string, data: unknown): string {
  if (!isAttemptMessage(type)) return `${TEST_NAMESPACE}/transaction-of-${orderIdOf(data)}/${type}`;
  const { flow, message } = sentBy(type);
  const { paymentId = '' } = data as { readonly paymentId?: string };
  const names = { 'create-order': createName(orderIdOf(data)), 'pay-order': payName(paymentId) };
  return messageId(TEST_NAMESPACE, flow === 'close-order' ? closeName(orderIdOf(data), 1) : names[flow], message);
}

/** Of the flow that sends it; of a type that no flow sends, just any. */
export function sourceOf(type: string): string {
  return `ordertx/${TEST_NAMESPACE}/${isAttemptMessage(type) ? sentBy(type).flow : 'pay-order'}`;
}

function isAttemptMessage(type: string): type is AttemptMessage {
  return (sentBy as (type: string) => unknown)(type) !== undefined;
}
