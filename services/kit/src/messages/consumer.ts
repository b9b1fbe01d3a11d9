/**
 * The consumer: has every message on a service's stream handled once, and answers with receipts.
 *
 * 1. The receipt is sent only after the commit; then the entry is acknowledged and deleted. A crash between any two of these leads
 *    to a second handling, which the inbox turns into a second receipt.
 * 2. A receipt that cannot be sent holds up nothing: not its entry, which is taken off the stream all the same, so that a Redis that
 *    is full gets room again. Its sender publishes again, after its own pauses. So the two go in one flight and never in one MULTI: one
 *    refused command in it would undo the other.
 * 3. What nobody could handle right now (a fault, a database that is away, "not yet") is taken off the stream without a receipt:
 *    its sender publishes it again, and a stream never fills with what cannot be handled.
 * 4. A receipt goes nowhere but to a receipts stream. One that nobody renews expires. It echoes the message's token, which proves
 *    that its sender could read the message.
 */
import type { Pool } from 'pg';
import type { Registry } from 'prom-client';
import { brokerMetrics, type BrokerMetrics } from '../../../broker/src/metrics.ts';
import { Trouble } from '../../../broker/src/trouble.ts';
import { REASON_CHARS_MAX, RECEIPT_FIELD, type Receipt } from '../../../protocol/src/index.ts';
import { withLogFields, type Log } from '../log.ts';
import { Group, isGroupMissing, type Entry } from './group.ts';
import type { AnyHandler, FailedAttempt } from './handler.ts';
import { handleOnce, type Inboxed } from './inbox.ts';
import { judge, type Judged, type JudgeRules, type Sender } from './judge.ts';
import { consumerMetrics, type ConsumerMetrics, type HandlingOutcome } from './metrics.ts';
import { endSpan, traced } from './trace.ts';
import { keepUnanswerable } from './unanswerable.ts';

/** Each takes a connection of the pool (10); what is left over serves the requests. */
const HANDLED_AT_ONCE_MAX = 8;
/** Far longer than a database transaction may take, and short beside the longest pause of a sender. */
const TAKEOVER_IDLE_MS = 30_000;
/** Senders come and go; what is forgotten of one that cannot be answered is told once more. */
const UNREACHABLE_MAX = 100;

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

/** What became of an entry; a receipt is sent for those that have a result. */
type Outcome = Inboxed | FailedAttempt | { readonly kind: 'unknown' };

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #rules: JudgeRules;
  readonly #metrics: ConsumerMetrics;
  readonly #broker: BrokerMetrics;
  readonly #group: Group;
  readonly #readTrouble: Trouble;
  /** By the receipts stream that cannot be written. */
  readonly #unreachable = new Map<string, Trouble>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #running: Promise<void>;
  readonly #closing = new AbortController();

  /** Starts at once; a Redis that is away is waited for. */
  constructor(options: ConsumerOptions) {
    const { redisUrl, service, replica, handlers, namespaces, metrics, pool, log, takeoverIdleMs } = options;
    this.#options = options;
    this.#rules = { handlers: new Map(handlers.map((handler) => [handler.type, handler])), namespaces };
    this.#broker = brokerMetrics(metrics);
    this.#group = new Group({
      ...{ redisUrl, service, replica, takeoverIdleMs: takeoverIdleMs ?? TAKEOVER_IDLE_MS },
      onTakenOver: (entries) => this.#metrics.takenOver(entries),
    });
    const backlog = () => this.#group.backlog();
    this.#metrics = consumerMetrics({ registry: metrics, stream: service, pool, backlog, log });
    const { stream } = this.#group;
    this.#readTrouble = new Trouble({
      warn: (error) => {
        this.#broker.trouble('read messages', true);
        log.warn({ err: error, stream }, 'messages cannot be read; trying again');
      },
      well: () => {
        this.#broker.trouble('read messages', false);
        log.info({ stream }, 'messages are read again');
      },
    });
    this.#running = this.#run();
  }

  /** Takes nothing new, lets what is under way end, and leaves the group. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#group.closeReading(this.#running);
    await Promise.all(this.#underWay);
    await this.#group.leave();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    await this.#group.connected();
    while (!signal.aborted) {
      try {
        const free = HANDLED_AT_ONCE_MAX - this.#underWay.size;
        if (free === 0) {
          await Promise.race(this.#underWay);
          continue;
        }
        for (const entry of await this.#nextEntries(free)) this.#begin(entry);
        this.#readTrouble.worked();
      } catch (error) {
        if (signal.aborted) return;
        this.#readTrouble.failed(this.#group.reasonOf(error));
        await this.#readTrouble.pause(signal);
      }
    }
  }

  /** Where the group is not there it is made, and asked once more: a group that does not come to be is trouble like any other. */
  async #nextEntries(count: number): Promise<readonly Entry[]> {
    try {
      return await this.#group.next(count);
    } catch (error) {
      if (!isGroupMissing(error) || this.#closing.signal.aborted) throw error;
      await this.#group.make();
      return this.#group.next(count);
    }
  }

  #begin([id, fields]: Entry): void {
    const handling = this.#handle(id, fields).catch((error: unknown) => {
      // The effect, if any, is in the database: the next copy is answered from the inbox.
      this.#group.letGo(id);
      this.#options.log.debug({ err: error, entry: id }, 'a message could not be answered; it comes again');
    });
    const task = handling.then(() => void this.#underWay.delete(task));
    this.#underWay.add(task);
  }

  async #handle(entryId: string, fields: readonly string[]): Promise<void> {
    const startedMs = performance.now();
    const { judged, span } = traced(judge(entryId, fields, this.#rules), this.#group.stream);
    const identity =
      judged.kind === 'message'
        ? { message: judged.message.id, traceparent: judged.message.traceparent }
        : { message: judged.sender?.id };
    await withLogFields(identity, async () => {
      const outcome = await this.#outcomeOf(judged, fields);
      endSpan(span, nameOf(outcome));
      await this.#end(entryId, judged.sender, outcome);
      const type = judged.kind === 'message' ? judged.message.type : judged.type;
      this.#metrics.handled(type, nameOf(outcome), (performance.now() - startedMs) / 1_000);
    });
  }

  async #outcomeOf(judged: Judged, fields: readonly string[]): Promise<Outcome> {
    const { pool, log } = this.#options;
    if (judged.kind === 'refused') {
      const { reason } = judged;
      log.error({ reason }, 'refused a message');
      if (judged.sender === undefined) await keepUnanswerable(pool, this.#group.stream, fields, reason);
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
      if (outcome.kind === 'refused' || outcome.kind === 'conflict')
        log.error({ reason: outcome.reason }, 'refused a message');
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

  /** See 2. Rejects where it could not be taken off the stream. */
  async #end(entryId: string, sender: Sender | undefined, outcome: Outcome): Promise<void> {
    const receipt = sender === undefined ? undefined : receiptOf(sender, this.#options.service, outcome);
    if (sender === undefined || receipt === undefined) {
      await this.#group.end(entryId, undefined);
      return;
    }
    const { replyTo } = sender;
    const noteTrouble = (error: unknown): void => this.#receiptTrouble(replyTo).failed(this.#group.reasonOf(error));
    const answer = { stream: replyTo, field: RECEIPT_FIELD, text: JSON.stringify(receipt) };
    const notTaken = await this.#group.end(entryId, answer).catch((error: unknown) => {
      noteTrouble(error);
      throw error;
    });
    if (notTaken === undefined) this.#unreachable.get(replyTo)?.worked();
    else noteTrouble(notTaken);
  }

  /** Each sender has a stream of its own, and one that cannot be written says nothing of the others. */
  #receiptTrouble(receipts: string): Trouble {
    const { log } = this.#options;
    const known = this.#unreachable.get(receipts);
    if (known !== undefined) return known;
    const trouble = new Trouble({
      warn: (error) => log.warn({ err: error, receipts }, 'receipts cannot be sent: their messages come again'),
      well: () => {
        this.#unreachable.delete(receipts);
        this.#broker.trouble('send receipts', this.#unreachable.size > 0);
        log.info({ receipts }, 'receipts are sent again');
      },
    });
    const [oldest] = this.#unreachable.size >= UNREACHABLE_MAX ? this.#unreachable.keys() : [];
    if (oldest !== undefined) this.#unreachable.delete(oldest);
    this.#unreachable.set(receipts, trouble);
    this.#broker.trouble('send receipts', true);
    return trouble;
  }
}

function receiptOf({ id, token }: Sender, consumer: string, outcome: Outcome): Receipt | undefined {
  const answer = { id, consumer, ...(token === undefined ? {} : { token }) };
  switch (outcome.kind) {
    case 'delivered':
      return { ...answer, result: 'delivered' };
    case 'foreign': {
      const reason = `without effect: ${outcome.detail}`.slice(0, REASON_CHARS_MAX);
      return { ...answer, result: 'delivered', reason };
    }
    case 'refused':
    case 'conflict':
    case 'failed': {
      const result = outcome.kind === 'failed' ? 'failed' : 'refused';
      return { ...answer, result, reason: outcome.reason.slice(0, REASON_CHARS_MAX) };
    }
    case 'not-yet':
    case 'unknown':
      return undefined;
  }
}

function nameOf(outcome: Outcome): HandlingOutcome {
  return outcome.kind === 'delivered' && outcome.replayed ? 'replayed' : outcome.kind;
}
