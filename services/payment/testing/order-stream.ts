/**
 * The order service's end of its stream, played by a test: reads what is published, and answers when the test wants to.
 */
import type { Redis } from 'ioredis';
import { waitFor } from '../../../local/deadline.ts';
import {
  eventSchema,
  MESSAGE_FIELD,
  messagesStream,
  RECEIPT_FIELD,
  type MessageEvent,
  type Receipt,
} from '../../protocol/src/index.ts';

const DEADLINE_MS = 20_000;

/** What lies on the stream about this payment, in the order in which it was published. */
export async function publications(redis: Redis, paymentId: string): Promise<readonly MessageEvent[]> {
  const entries = await redis.xrange(messagesStream('order'), '-', '+');
  return entries
    .map(([, fields]) => eventSchema.parse(JSON.parse(fields[fields.indexOf(MESSAGE_FIELD) + 1] ?? '')))
    .filter(({ data }) => (data as { readonly paymentId: string }).paymentId === paymentId);
}

/** The newest, once there are that many. */
export async function published(redis: Redis, paymentId: string, count = 1): Promise<MessageEvent> {
  return waitFor(
    async () => {
      const events = await publications(redis, paymentId);
      return events.length >= count && events.at(-1);
    },
    { what: `publication ${String(count)} of payment ${paymentId}`, deadlineMs: DEADLINE_MS },
  );
}

export async function answer(
  redis: Redis,
  { id, replyto, receipttoken: token }: MessageEvent,
  outcome: Pick<Receipt, 'result' | 'reason'>,
): Promise<void> {
  await redis.xadd(
    replyto,
    '*',
    RECEIPT_FIELD,
    JSON.stringify({ id, consumer: 'order', token, ...outcome } satisfies Receipt),
  );
}
