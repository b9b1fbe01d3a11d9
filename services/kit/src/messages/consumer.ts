/**
 * The consumer: reads a service's stream, has every message handled once, and answers with receipts.
 *
 * 1. One group, named as the stream, shared by all replicas; it begins at id 0, and is made again whenever Redis has lost it. No
 *    position is remembered anywhere else, so an empty Redis needs no mending.
 * 2. The receipt is sent only after the commit; then the entry is acknowledged and deleted. A crash between any two of these leads
 *    to a second handling, which the inbox turns into a second receipt.
 * 3. What nobody could handle right now (a fault, a database that is away, "not yet") is taken off the stream without a receipt:
 *    its sender publishes it again, and a stream never fills with what cannot be handled.
 * 4. Entries that another consumer has read and not ended for TAKEOVER_IDLE_MS are taken over: it has died.
 * 5. A receipt goes nowhere but to a receipts stream. One that nobody renews expires.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import { messagesStream, REASON_CHARS_MAX, RECEIPT_FIELD, type Receipt } from '../../../protocol/src/index.ts';
import { withLogFields, type Log } from '../log.ts';
import { blockingConnection, closeReader, commandConnection, Trouble } from './connections.ts';
import type { AnyHandler, FailedAttempt } from './handler.ts';
import { handleOnce, type Inboxed } from './inbox.ts';
import { judge, type Judged, type JudgeRules, type Sender } from './judge.ts';
import { consumerMetrics, type ConsumerMetrics, type HandlingOutcome } from './metrics.ts';
import { keepUnanswerable } from './unanswerable.ts';

/** Each takes a connection of the pool (10); what is left over serves the requests. */
const HANDLED_AT_ONCE_MAX = 8;
/** How long a read waits for the first entry; bounds how late a shutdown is seen. */
const READ_BLOCK_MS = 500;
/** Far longer than a database transaction may take, and short beside the longest pause of a sender. */
const TAKEOVER_IDLE_MS = 30_000;
const TAKEOVER_EVERY_MS = 5_000;
/** After an error that is about Redis, before it is asked again. */
const TROUBLE_PAUSE_MS = 500;
/** A sender that reads no receipts for this long has gone; its successor publishes again and asks for its own. */
const RECEIPTS_EXPIRE_SECONDS = 3_600;
/** A safety net for a sender that has gone: it would never have read so many. */
const RECEIPTS_MAX = 100_000;
/** A consumer of the group that has been silent for this long and holds nothing is a replica of the past. */
const SILENT_CONSUMER_MS = 3_600_000;
const CLOSE_PATIENCE_MS = 2 * READ_BLOCK_MS;

export interface ConsumerOptions {
  readonly redisUrl: string;
  /** Of the service: its stream, its group, and how it signs receipts. */
  readonly service: string;
  /** Unique among the replicas. */
  readonly replica: string;
  readonly pool: Pool;
  readonly handlers: readonly AnyHandler[];
  /** Whose transactions' messages it takes; others are refused. */
  readonly namespaces: readonly string[];
  readonly metrics: Registry;
  readonly log: Log;
  /** Default 30,000. */
  readonly takeoverIdleMs?: number;
}

/** An entry's id, and its fields' names and values in turn. */
type Entry = readonly [id: string, fields: readonly string[]];

/** What became of an entry; a receipt is sent for those that have a result. */
type Outcome = Inboxed | FailedAttempt | { readonly kind: 'unknown' };

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #stream: string;
  readonly #rules: JudgeRules;
  readonly #metrics: ConsumerMetrics;
  readonly #reader: Redis;
  readonly #commands: Redis;
  readonly #trouble: Trouble;
  readonly #underWay = new Set<Promise<void>>();
  /** Ids of the entries being handled. */
  readonly #inHand = new Set<string>();
  readonly #running: Promise<void>;
  #closing = false;
  #takeOverAtMs = 0;

  /** Starts at once; a Redis that is away is waited for. */
  constructor(options: ConsumerOptions) {
    const { redisUrl, service, handlers, namespaces, metrics, pool, log } = options;
    this.#options = options;
    this.#stream = messagesStream(service);
    this.#rules = { handlers: new Map(handlers.map((handler) => [handler.type, handler])), namespaces };
    this.#metrics = consumerMetrics(metrics, service, pool, log);
    this.#reader = blockingConnection(redisUrl);
    this.#commands = commandConnection(redisUrl);
    this.#trouble = new Trouble({
      warn: (error) => log.warn({ err: error, stream: this.#stream }, 'messages cannot be read; trying again'),
      well: () => log.info({ stream: this.#stream }, 'messages are read again'),
    });
    this.#running = this.#run();
  }

  /** Takes nothing new, lets what is under way end, and leaves the group. */
  async close(): Promise<void> {
    this.#closing = true;
    await closeReader(this.#reader, this.#running, CLOSE_PATIENCE_MS);
    await Promise.all(this.#underWay);
    await this.#leaveGroup().catch(() => undefined);
    this.#commands.disconnect();
  }

  async #run(): Promise<void> {
    while (!this.#closing) {
      try {
        const free = HANDLED_AT_ONCE_MAX - this.#underWay.size;
        if (free === 0) {
          await Promise.race(this.#underWay);
          continue;
        }
        for (const entry of await this.#next(free)) this.#begin(entry);
        this.#trouble.worked();
      } catch (error) {
        if (this.#closing) return;
        if (isGroupMissing(error)) await this.#makeGroup();
        else await this.#pauseAfter(error);
      }
    }
  }

  async #next(count: number): Promise<readonly Entry[]> {
    const { service, replica, takeoverIdleMs = TAKEOVER_IDLE_MS } = this.#options;
    if (performance.now() >= this.#takeOverAtMs) {
      const taken = await this.#takeOver(count, takeoverIdleMs);
      if (taken.length > 0) return taken;
      this.#takeOverAtMs = performance.now() + Math.min(TAKEOVER_EVERY_MS, takeoverIdleMs);
    }
    const read = (await this.#reader.xreadgroup(
      ...(['GROUP', service, replica, 'COUNT', count, 'BLOCK', READ_BLOCK_MS, 'STREAMS', this.#stream, '>'] as const),
    )) as readonly [stream: string, entries: readonly Entry[]][] | null;
    return read?.[0]?.[1] ?? [];
  }

  async #takeOver(count: number, idleMs: number): Promise<readonly Entry[]> {
    const { service, replica } = this.#options;
    const answer = await this.#commands.xautoclaim(this.#stream, service, replica, idleMs, '0', 'COUNT', count);
    const taken = (answer as unknown as readonly [cursor: string, entries: readonly Entry[]])[1];
    // What is still being handled here, slowly, has no dead consumer.
    const entries = taken.filter(([id]) => !this.#inHand.has(id));
    if (entries.length > 0) this.#metrics.takenOver(entries.length);
    return entries;
  }

  async #makeGroup(): Promise<void> {
    const { service } = this.#options;
    try {
      await this.#commands.xgroup('CREATE', this.#stream, service, '0', 'MKSTREAM');
    } catch (error) {
      // Another replica was faster.
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) await this.#pauseAfter(error);
    }
  }

  async #pauseAfter(error: unknown): Promise<void> {
    this.#trouble.failed(error);
    await delay(TROUBLE_PAUSE_MS * (0.5 + Math.random()));
  }

  #begin([id, fields]: Entry): void {
    this.#inHand.add(id);
    const handling = this.#handle(id, fields).catch((error: unknown) => {
      // The effect, if any, is in the database: the next copy is answered from the inbox.
      this.#options.log.debug({ err: error, entry: id }, 'a message could not be answered; it comes again');
    });
    const task = handling.then(() => {
      this.#underWay.delete(task);
      this.#inHand.delete(id);
    });
    this.#underWay.add(task);
  }

  async #handle(entryId: string, fields: readonly string[]): Promise<void> {
    const startedMs = performance.now();
    const judged = judge(entryId, fields, this.#rules);
    const identity =
      judged.kind === 'message'
        ? { message: judged.message.id, traceparent: judged.message.traceparent }
        : { message: judged.sender?.id };
    await withLogFields(identity, async () => {
      const outcome = await this.#outcomeOf(judged, fields);
      await this.#answer(entryId, judged.sender, outcome);
      const type = judged.kind === 'message' ? judged.message.type : judged.type;
      this.#metrics.handled(type, nameOf(outcome), (performance.now() - startedMs) / 1_000);
    });
  }

  async #outcomeOf(judged: Judged, fields: readonly string[]): Promise<Outcome> {
    const { pool, log } = this.#options;
    if (judged.kind === 'refused') {
      const { reason } = judged;
      log.error({ reason }, 'refused a message');
      if (judged.sender === undefined) await keepUnanswerable(pool, this.#stream, fields, reason);
      return { kind: 'refused', reason, replayed: false };
    }
    const { handler, message } = judged;
    try {
      const foreign = handler.foreign?.(message);
      if (foreign !== undefined) return this.#foreign(foreign);
      const outcome =
        handler.kind === 'once'
          ? await handleOnce(pool, handler, message)
          : { ...(await handler.attempt(message)), replayed: false };
      if (outcome.kind === 'refused') log.error({ reason: outcome.reason }, 'refused a message');
      return outcome.kind === 'foreign' ? this.#foreign(outcome.detail) : outcome;
    } catch (error) {
      log.error({ err: error, type: message.type }, 'a message could not be handled; it comes again');
      return { kind: 'unknown' };
    }
  }

  #foreign(detail: string): Outcome {
    this.#options.log.warn(
      { reason: detail },
      'a message from somebody who may not send it was answered without an effect',
    );
    return { kind: 'foreign', detail, replayed: false };
  }

  async #answer(entryId: string, sender: Sender | undefined, outcome: Outcome): Promise<void> {
    const { service } = this.#options;
    const commands = this.#commands.multi();
    const receipt = sender === undefined ? undefined : receiptOf(sender.id, service, outcome);
    if (sender !== undefined && receipt !== undefined) {
      commands.xadd(sender.replyTo, 'MAXLEN', '~', RECEIPTS_MAX, '*', RECEIPT_FIELD, JSON.stringify(receipt));
      commands.expire(sender.replyTo, RECEIPTS_EXPIRE_SECONDS, 'NX');
    }
    commands.xack(this.#stream, service, entryId).xdel(this.#stream, entryId);
    await commands.exec();
  }

  /** Replicas come and go; a consumer that holds nothing is no loss, one that holds something is left to be taken over. */
  async #leaveGroup(): Promise<void> {
    const { service, replica } = this.#options;
    const consumers = (await this.#commands.xinfo('CONSUMERS', this.#stream, service)) as readonly unknown[][];
    for (const consumer of consumers) {
      const { name, pending, idle } = fieldsOf(consumer);
      const gone = name === replica || Number(idle) > SILENT_CONSUMER_MS;
      if (gone && Number(pending) === 0)
        await this.#commands.xgroup('DELCONSUMER', this.#stream, service, String(name));
    }
  }
}

function receiptOf(id: string, consumer: string, outcome: Outcome): Receipt | undefined {
  switch (outcome.kind) {
    case 'delivered':
      return { id, consumer, result: 'delivered' };
    case 'foreign': {
      const reason = `without effect: ${outcome.detail}`.slice(0, REASON_CHARS_MAX);
      return { id, consumer, result: 'delivered', reason };
    }
    case 'refused':
    case 'failed':
      return { id, consumer, result: outcome.kind, reason: outcome.reason.slice(0, REASON_CHARS_MAX) };
    case 'not-yet':
    case 'unknown':
      return undefined;
  }
}

function nameOf(outcome: Outcome): HandlingOutcome {
  return outcome.kind === 'delivered' && outcome.replayed ? 'replayed' : outcome.kind;
}

/** The stream or its group is not there, or was deleted while we waited at it. */
function isGroupMissing(error: unknown): boolean {
  return error instanceof Error && /^(NOGROUP|UNBLOCKED)/.test(error.message);
}

/** Redis gives a consumer's description as names and values in turn. */
function fieldsOf(flat: readonly unknown[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, index) => [String(flat[2 * index]), flat[2 * index + 1]]),
  );
}
