/**
 * The relay: publishes what lies in the outbox, again and again, until its receipt is back.
 *
 * 1. A publication says only that the broker has it; a message counts as told when its receipt comes. So Redis may lose everything.
 * 2. What is due is taken by putting off when it is due next: several replicas take different rows, no lock is held over a
 *    command to Redis, and a replica that dies with what it took only delays it.
 * 3. While Redis is away nothing is claimed: a claim counts as a publication.
 * 4. A receipt counts only with the token of the message, which this replica has made: receipts come to the replica that published.
 *    One that cannot be recorded for what it says is dropped alone; one that meets a database that is away comes again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import { brokerMetrics } from '../../../broker/src/metrics.ts';
import { Publisher } from '../../../broker/src/publisher.ts';
import { ReceiptTokens } from '../../../broker/src/receipt-tokens.ts';
import { DROPPED, ReceiptsReader } from '../../../broker/src/receipts.ts';
import { Trouble } from '../../../broker/src/trouble.ts';
import { publicationSpan } from '../../../tracing/src/publication.ts';
import { receiptsStream, type MessageEvent, type Receipt } from '../../../protocol/src/index.ts';
import type { Log } from '../log.ts';
import { passing } from '../postgres/errors.ts';
import { outboxMetrics } from './metrics.ts';
import { claimMessages, countMessages, parkMessage, removeMessages, type ClaimedMessage } from './outbox.ts';

const POLL_MS = 1_000;
/** One claim, one pipeline. */
const BATCH_ROWS = 100;

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
  readonly #tokens = new ReceiptTokens();
  readonly #publisher: Publisher;
  readonly #reader: ReceiptsReader;
  readonly #publishing: Promise<void>;
  readonly #trouble: Trouble;
  readonly #closing = new AbortController();
  #nudged = false;
  #wake = (): void => undefined;

  /** Starts at once; a Redis that is away is waited for. */
  constructor(options: RelayOptions) {
    const { redisUrl, replica, metrics, pool, log } = options;
    this.#options = options;
    this.#receipts = receiptsStream(replica);
    const broker = brokerMetrics(metrics);
    this.#trouble = new Trouble({
      warn: (error) => {
        broker.trouble('publish', true);
        log.warn({ err: error }, 'messages cannot be published; they stay in the outbox');
      },
      well: () => {
        broker.trouble('publish', false);
        log.info('messages are published again');
      },
    });
    this.#publisher = new Publisher({
      redisUrl,
      metrics: broker,
      probeKey: `${this.#receipts}.probe`,
      onChange: (state) => {
        if (state.away) this.#trouble.failed(state.reason);
        else this.nudge();
      },
    });
    this.#reader = new ReceiptsReader({
      ...{ redisUrl, stream: this.#receipts, tokens: this.#tokens, metrics: broker },
      settle: (receipts) => this.#settle(receipts),
      onDropped: (why, tell) => {
        if (tell) log.warn({ why }, DROPPED);
      },
      trouble: {
        warn: (error) => {
          broker.trouble('read receipts', true);
          log.warn({ err: error }, 'receipts could not be read or recorded; trying again');
        },
        well: () => {
          broker.trouble('read receipts', false);
          log.info('receipts are read again');
        },
      },
    });
    outboxMetrics(metrics, () => countMessages(pool), log);
    this.#publishing = this.#publishDue();
  }

  /** A message's row was committed just now. */
  nudge(): void {
    this.#nudged = true;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake();
    await Promise.all([this.#publishing, this.#reader.close()]);
    this.#publisher.close();
  }

  async #publishDue(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        this.#nudged = false;
        if (await this.#publishBatch()) continue;
      } catch (error) {
        // What was claimed is due again by itself.
        this.#trouble.failed(error);
        await this.#trouble.pause(this.#closing.signal);
      }
      await this.#sleep();
    }
  }

  /** Whether there may be more that is due. */
  async #publishBatch(): Promise<boolean> {
    if (this.#publisher.away) return false;
    const claimed = await claimMessages(this.#options.pool, BATCH_ROWS);
    if (claimed.length > 0) await this.#publish(claimed);
    return claimed.length === BATCH_ROWS;
  }

  async #publish(claimed: readonly ClaimedMessage[]): Promise<void> {
    const spans = claimed.map((message) => publicationSpan({ ...message, parent: message.traceparent }));
    const publications = claimed.map((message, nth) => ({
      stream: message.stream,
      event: this.#event({ ...message, traceparent: spans[nth]?.traceparent }),
    }));
    const results = await this.#publisher.publish(publications);
    spans.forEach((span, nth) => span.end(results[nth] instanceof Error ? { type: 'not-taken' } : undefined));
    const failed = results.find((result) => result instanceof Error);
    if (failed !== undefined) throw failed;
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
      receipttoken: this.#tokens.of(id),
      attempt,
      ...(traceparent === undefined ? {} : { traceparent }),
      data,
    };
  }

  /** Until the next poll, a nudge, or the end. Replicas that were started together should not ask together. */
  async #sleep(): Promise<void> {
    if (this.#nudged || this.#closing.signal.aborted) return;
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    await delay(POLL_MS * (0.75 + Math.random() / 2), undefined, { signal: waking.signal }).catch(() => undefined);
    this.#wake = () => undefined;
  }

  async #settle(receipts: readonly Receipt[]): Promise<void> {
    const { pool } = this.#options;
    const delivered = receipts.flatMap((receipt) => (receipt.result === 'delivered' ? [receipt.id] : []));
    if (delivered.length > 0) await removeMessages(pool, delivered);
    for (const receipt of receipts) {
      this.#publisher.forget(receipt.id);
      if (receipt.result === 'refused') await this.#park(receipt);
    }
  }

  async #park({ id, consumer, reason = 'no reason given' }: Receipt): Promise<void> {
    const { pool, log } = this.#options;
    try {
      const parked = await parkMessage(pool, id, `${consumer}: ${reason}`.replaceAll(/[\s\p{Cc}\p{Cs}]+/gu, ' '));
      if (parked !== undefined)
        log.error({ message: id, ...parked, reason }, 'a message was refused; mend it, then run `outbox retry`');
    } catch (error) {
      if (passing(error) !== undefined) throw error;
      log.error({ err: error, message: id, reason }, 'a message was refused, which could not be recorded; it goes on');
    }
  }
}
