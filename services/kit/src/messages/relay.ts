/**
 * The relay: publishes what lies in the outbox, again and again, until its receipt is back.
 *
 * 1. A publication says only that the broker has it; a message counts as told when its receipt comes. So Redis may lose everything.
 * 2. What is due is taken by putting off when it is due next: several replicas take different rows, no lock is held over a
 *    command to Redis, and a replica that dies with what it took only delays it.
 * 3. Receipts are read from this replica's own stream, from its beginning each time: what was read is deleted, so no position has
 *    to be kept, and a wiped Redis needs no mending.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import {
  MESSAGE_FIELD,
  messagesStream,
  RECEIPT_FIELD,
  receiptSchema,
  receiptsStream,
  type MessageEvent,
  type Receipt,
} from '../../../protocol/src/index.ts';
import type { Log } from '../log.ts';
import { blockingConnection, closeReader, commandConnection, Trouble } from './connections.ts';
import { outboxMetrics } from './metrics.ts';
import { claimMessages, countMessages, parkMessage, removeMessages, type ClaimedMessage } from './outbox.ts';

const POLL_MS = 1_000;
/** One claim, one pipeline. */
const BATCH_ROWS = 100;
/** A safety net only: what it drops is published again. */
const STREAM_ENTRIES_MAX = 1_000_000;
const RECEIPTS_PER_READ_MAX = 500;
const READ_BLOCK_MS = 500;
const RECEIPTS_EXPIRE_SECONDS = 3_600;
const TROUBLE_PAUSE_MS = 500;
const CLOSE_PATIENCE_MS = 2 * READ_BLOCK_MS;

export interface RelayOptions {
  readonly redisUrl: string;
  readonly service: string;
  /** Unique among all senders: receipts come to a stream of this name. */
  readonly replica: string;
  readonly pool: Pool;
  readonly metrics: Registry;
  readonly log: Log;
}

export class OutboxRelay {
  readonly #options: RelayOptions;
  readonly #receipts: string;
  readonly #commands: Redis;
  readonly #reader: Redis;
  readonly #publishing: Promise<void>;
  readonly #reading: Promise<void>;
  readonly #trouble: Trouble;
  #closing = false;
  #nudged = false;
  #everReady = false;
  #wake = (): void => undefined;

  /** Starts at once; a Redis that is away is waited for. */
  constructor(options: RelayOptions) {
    const { redisUrl, replica, metrics, pool, log } = options;
    this.#options = options;
    this.#receipts = receiptsStream(replica);
    this.#commands = commandConnection(redisUrl);
    this.#reader = blockingConnection(redisUrl);
    this.#trouble = new Trouble({
      warn: (error) => log.warn({ err: error }, 'messages cannot be published; they stay in the outbox'),
      well: () => log.info('messages are published again'),
    });
    this.#commands.on('ready', () => this.nudge());
    outboxMetrics(metrics, () => countMessages(pool), log);
    this.#publishing = this.#publishDue();
    this.#reading = this.#readReceipts();
  }

  /** A message's row was committed just now. */
  nudge(): void {
    this.#nudged = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#wake();
    await Promise.all([this.#publishing, closeReader(this.#reader, this.#reading, CLOSE_PATIENCE_MS)]);
    this.#commands.disconnect();
  }

  async #publishDue(): Promise<void> {
    while (!this.#closing) {
      try {
        this.#nudged = false;
        if (await this.#publishBatch()) continue;
      } catch (error) {
        // What was claimed is due again by itself.
        this.#trouble.failed(error);
      }
      await this.#sleep();
    }
  }

  /** Whether there may be more that is due. While Redis is away nothing is claimed: a claim counts as a publication. */
  async #publishBatch(): Promise<boolean> {
    if (this.#commands.status !== 'ready') {
      if (this.#everReady) this.#trouble.failed(new Error('Redis is not reachable'));
      return false;
    }
    this.#everReady = true;
    const claimed = await claimMessages(this.#options.pool, BATCH_ROWS);
    if (claimed.length > 0) await this.#publish(claimed);
    return claimed.length === BATCH_ROWS;
  }

  async #publish(claimed: readonly ClaimedMessage[]): Promise<void> {
    const commands = this.#commands.pipeline();
    for (const message of claimed) {
      const event = JSON.stringify(this.#event(message));
      commands.xadd(messagesStream(message.stream), 'MAXLEN', '~', STREAM_ENTRIES_MAX, '*', MESSAGE_FIELD, event);
    }
    const failed = (await commands.exec())?.find(([error]) => error !== null);
    if (failed?.[0]) throw failed[0];
    this.#trouble.worked();
  }

  #event({ id, type, subject, data, traceparent, createdAt, attempt }: ClaimedMessage): MessageEvent {
    return {
      specversion: '1.0',
      id,
      source: `ordertx/${this.#options.service}`,
      type,
      subject,
      time: createdAt.toISOString(),
      datacontenttype: 'application/json',
      replyto: this.#receipts,
      attempt,
      ...(traceparent === undefined ? {} : { traceparent }),
      data,
    };
  }

  /** Until the next poll, a nudge, or the end. Replicas that were started together should not ask together. */
  async #sleep(): Promise<void> {
    if (this.#nudged || this.#closing) return;
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    await delay(POLL_MS * (0.75 + Math.random() / 2), undefined, { signal: waking.signal }).catch(() => undefined);
    this.#wake = () => undefined;
  }

  async #readReceipts(): Promise<void> {
    const { log } = this.#options;
    while (!this.#closing) {
      try {
        const read = await this.#reader.xread(
          ...(['COUNT', RECEIPTS_PER_READ_MAX, 'BLOCK', READ_BLOCK_MS, 'STREAMS', this.#receipts, '0'] as const),
        );
        const entries = read?.[0]?.[1] ?? [];
        await this.#settle(entries.map(([, fields]) => readReceipt(fields)));
        if (entries.length > 0) await this.#reader.xdel(this.#receipts, ...entries.map(([id]) => id));
        await this.#reader.expire(this.#receipts, RECEIPTS_EXPIRE_SECONDS);
      } catch (error) {
        if (this.#closing) return;
        log.warn({ err: error }, 'receipts could not be read or recorded; trying again');
        await delay(TROUBLE_PAUSE_MS * (0.5 + Math.random()));
      }
    }
  }

  async #settle(receipts: readonly (Receipt | undefined)[]): Promise<void> {
    const { pool, log } = this.#options;
    const delivered = receipts.flatMap((receipt) => (receipt?.result === 'delivered' ? [receipt.id] : []));
    if (delivered.length > 0) await removeMessages(pool, delivered);
    for (const receipt of receipts) {
      if (receipt === undefined) {
        log.warn('dropped a receipt that is not of the form {id, consumer, result, reason}');
      } else if (receipt.result === 'refused') {
        const { id, consumer, reason = 'no reason given' } = receipt;
        const parked = await parkMessage(pool, id, `${consumer}: ${reason}`);
        if (parked !== undefined)
          log.error({ message: id, ...parked, reason }, 'a message was refused; mend it, then run `outbox retry`');
      }
    }
  }
}

/** Undefined for what is no receipt. */
function readReceipt(fields: readonly string[]): Receipt | undefined {
  try {
    const receipt = receiptSchema.safeParse(JSON.parse(fields[fields.indexOf(RECEIPT_FIELD) + 1] ?? ''));
    return receipt.success ? receipt.data : undefined;
  } catch {
    return undefined;
  }
}
