/**
 * The controller's end of the message streams: publishes, and hands on the receipts that come back.
 *
 * 1. A publication says only that the broker has it; a message counts as sent when its receipt comes (T7).
 * 2. Receipts are read from this replica's own stream, from its beginning after each reconnect: what was read is deleted,
 *    so nothing is missed and a wiped Redis needs no cursor to be mended.
 * 3. Nothing here outlives the process: a receipt that is lost is asked for again by publishing again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import {
  MESSAGE_FIELD,
  messageId,
  messagesStream,
  parseMessageId,
  RECEIPT_FIELD,
  receiptSchema,
  receiptsStream,
  type MessageEvent,
} from '../../../services/protocol/src/index.ts';
import type { Clock, Key, MessagePublication, Messages } from '../reconcile/ports.ts';
import type { MessageOutcome } from '../transaction/answers.ts';

/** A safety net only: what it drops is published again. Large enough for a backlog of an hour at 300 messages a second. */
const STREAM_ENTRIES_MAX = 1_000_000;
/** A replica that is gone for this long leaves no stream behind. Renewed with every read. */
const RECEIPTS_EXPIRE_SECONDS = 3_600;
const RECEIPTS_PER_READ_MAX = 500;
/** How long a read waits for the first receipt; bounds how late a shutdown is seen. */
const READ_BLOCK_MS = 2_000;
/** A command on a broker that does not answer is given up after this, so a publication becomes `unpublished`. */
const COMMAND_TIMEOUT_MS = 5_000;
const RECONNECT_DELAY_MAX_MS = 2_000;
const CLOSE_PATIENCE_MS = 1_000;

export interface MessagesSettings {
  readonly redisUrl: string;
  readonly replica: string;
  readonly clock: Clock;
  readonly onReceipt: (transaction: Key, message: string, outcome: MessageOutcome) => void;
  /** Once for each change between reachable and not; and for receipts that cannot be read. */
  readonly onTrouble: (sentence: string) => void;
}

const AWAY: MessageOutcome = {
  kind: 'unpublished',
  detail: 'Redis did not take it: check that the Redis of REDIS_URL is up and writable',
};

export class RedisMessages implements Messages {
  readonly #settings: MessagesSettings;
  readonly #publisher: Redis;
  readonly #reader: Redis;
  readonly #receipts: string;
  #closing = false;
  #reading: Promise<void> = Promise.resolve();

  constructor(settings: MessagesSettings) {
    this.#settings = settings;
    this.#receipts = receiptsStream(settings.replica);
    const options = { lazyConnect: true, retryStrategy: reconnectDelayMs };
    this.#publisher = new Redis(settings.redisUrl, {
      ...options,
      enableOfflineQueue: false,
      commandTimeout: COMMAND_TIMEOUT_MS,
      maxRetriesPerRequest: 0,
    });
    this.#reader = new Redis(settings.redisUrl, { ...options, maxRetriesPerRequest: null });
    for (const connection of [this.#publisher, this.#reader]) {
      // ioredis reconnects by itself; without a listener each failure would be printed by it.
      connection.on('error', () => undefined);
    }
    this.#publisher.on('close', () => {
      if (!this.#closing) settings.onTrouble('Redis is not reachable: messages wait in their transactions until it is');
    });
  }

  /** Begins to connect and to read receipts; a Redis that is away is waited for. */
  start(): void {
    this.#publisher.connect().catch(() => undefined);
    this.#reader.connect().catch(() => undefined);
    this.#reading = this.#readReceipts();
  }

  async ping(): Promise<boolean> {
    return this.#publisher.ping().then(
      (answer) => answer === 'PONG',
      () => false,
    );
  }

  async publish(publication: MessagePublication): Promise<MessageOutcome> {
    const stream = messagesStream(publication.template.stream);
    const event = JSON.stringify(this.#event(publication));
    try {
      await this.#publisher.xadd(stream, 'MAXLEN', '~', STREAM_ENTRIES_MAX, '*', MESSAGE_FIELD, event);
      return { kind: 'published' };
    } catch {
      return AWAY;
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#publisher.disconnect();
    this.#reader.disconnect();
    // A read that waits for a Redis that is away is not ended by a disconnect; nothing is lost by leaving it.
    const patience = new AbortController();
    const over = delay(CLOSE_PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#reading, over]);
    patience.abort();
  }

  #event({ transaction, template, attempt, reason, detail }: MessagePublication): MessageEvent {
    const { namespace = '', name, annotations } = transaction.metadata;
    const traceparent = annotations?.['ordertx.dev/traceparent'];
    return {
      specversion: '1.0',
      id: messageId(namespace, name, template.name),
      source: `ordertx/${namespace}/${transaction.spec.flow}`,
      type: template.type,
      subject: transaction.spec.orderId,
      time: new Date(this.#settings.clock.now()).toISOString(),
      datacontenttype: 'application/json',
      reason,
      detail,
      replyto: this.#receipts,
      attempt,
      ...(traceparent === undefined ? {} : { traceparent }),
      data: transaction.spec.payload,
    };
  }

  async #readReceipts(): Promise<void> {
    while (!this.#closing) {
      try {
        const read = await this.#reader.xread(
          'COUNT',
          RECEIPTS_PER_READ_MAX,
          'BLOCK',
          READ_BLOCK_MS,
          'STREAMS',
          this.#receipts,
          '0',
        );
        const entries = read?.[0]?.[1] ?? [];
        for (const [, fields] of entries) this.#handOn(fields);
        if (entries.length > 0) await this.#reader.xdel(this.#receipts, ...entries.map(([id]) => id));
        await this.#reader.expire(this.#receipts, RECEIPTS_EXPIRE_SECONDS);
      } catch (error) {
        // Closing ends the blocked read; everything else is waited out by ioredis, which queues until it is connected.
        if (!this.#closing) this.#settings.onTrouble(`receipts cannot be read: ${(error as Error).message}`);
      }
    }
  }

  #handOn(fields: readonly string[]): void {
    const text = fields[fields.indexOf(RECEIPT_FIELD) + 1] ?? '';
    const receipt = receiptSchema.safeParse(parseJson(text));
    const target = receipt.success ? parseMessageId(receipt.data.id) : undefined;
    if (!receipt.success || !target) {
      this.#settings.onTrouble('a receipt was dropped because it is not of the form {id, consumer, result, reason}');
      return;
    }
    const { result, consumer, reason = 'no reason given' } = receipt.data;
    const detail = `${consumer}: ${reason}`;
    const outcome: MessageOutcome = result === 'delivered' ? { kind: result } : { kind: result, detail };
    this.#settings.onReceipt(target.transaction, target.message, outcome);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reconnectDelayMs(attempt: number): number {
  return Math.min(50 * 2 ** attempt, RECONNECT_DELAY_MAX_MS);
}
