/**
 * The controller's end of the message streams: publishes, and hands on the receipts that come back.
 *
 * 1. A publication says only that the broker has it; a message counts as sent when its receipt comes (T7).
 * 2. A receipt counts only with the message's token, which this process has made: services/broker does that, as for the services.
 * 3. Nothing here outlives the process: a receipt that is lost is asked for again by publishing again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Publisher, type Publication } from '../../../services/broker/src/publisher.ts';
import { ReceiptTokens } from '../../../services/broker/src/receipt-tokens.ts';
import { ReceiptsReader } from '../../../services/broker/src/receipts.ts';
import type { BrokerMetrics, Doing, Dropped } from '../../../services/broker/src/metrics.ts';
import { publicationSpan } from '../../../services/tracing/src/publication.ts';
import { transactionTraceparent } from '../../../services/tracing/src/transaction-trace.ts';
import {
  messageId,
  parseMessageId,
  receiptsStream,
  type MessageEvent,
  type Receipt,
} from '../../../services/protocol/src/index.ts';
import type { Clock, Key, MessagePublication, Messages } from '../reconcile/ports.ts';
import type { MessageOutcome } from '../transaction/answers.ts';
import { BROKER_AWAY } from '../transaction/outcome.ts';

export interface MessagesSettings {
  readonly redisUrl: string;
  readonly replica: string;
  readonly clock: Clock;
  readonly metrics: Pick<BrokerMetrics, 'published' | 'received' | 'receiptDropped'>;
  readonly onReceipt: (transaction: Key, message: string, outcome: MessageOutcome) => void;
  /** Once for each change: `error` says why it cannot be done, undefined that it can be done again. */
  readonly onTrouble: (doing: Doing, error: unknown) => void;
  /** `tell`: for the first of its kind in a while. */
  readonly onDropped: (why: Dropped, tell: boolean) => void;
}

const UNPUBLISHED: MessageOutcome = { kind: 'unpublished', detail: BROKER_AWAY };

/** When the broker is back, thousands are due at once: one pipeline of them at a time, and the others wait for it. */
const BATCH_MAX = 100;
/**
 * How long a publication may be in its consumer's hand: longer than a provider may take to answer (20 s), a few others before it, and
 * the takeover from a consumer that died (30 s). Without an end a consumer that is away for days would keep its transactions from removal.
 */
const UNENDED_MS_MAX = 120_000;
const LOOK_AFTER_MS = 1_000;
const LOOK_EVERY_MS_MAX = 15_000;

interface Waiting {
  readonly publication: Publication;
  readonly told: (outcome: MessageOutcome) => void;
}

export class RedisMessages implements Messages {
  readonly #settings: MessagesSettings;
  readonly #receipts: string;
  readonly #tokens = new ReceiptTokens();
  #publisher: Publisher | undefined;
  #reader: ReceiptsReader | undefined;
  #waiting: Waiting[] = [];
  #flushing = false;
  /** By message id: told of its receipt. */
  readonly #unended = new Map<string, () => void>();

  constructor(settings: MessagesSettings) {
    this.#settings = settings;
    this.#receipts = receiptsStream(settings.replica);
  }

  /** Begins to connect and to read receipts; a Redis that is away is waited for. */
  start(): void {
    const { redisUrl, metrics, onTrouble, onDropped } = this.#settings;
    this.#publisher = new Publisher({
      ...{ redisUrl, metrics },
      probeKey: `${this.#receipts}.probe`,
      onChange: (state) => onTrouble('publish', state.away ? state.reason : undefined),
    });
    this.#reader = new ReceiptsReader({
      ...{ redisUrl, stream: this.#receipts, tokens: this.#tokens, metrics, onDropped },
      settle: (receipts) => {
        for (const receipt of receipts) this.#handOn(receipt);
      },
      trouble: {
        warn: (error) => onTrouble('read receipts', error),
        well: () => onTrouble('read receipts', undefined),
      },
    });
  }

  get away(): string | undefined {
    return (this.#publisher?.away ?? true) ? BROKER_AWAY : undefined;
  }

  async ping(): Promise<boolean> {
    return (await this.#publisher?.ping()) ?? false;
  }

  async publish(publication: MessagePublication): Promise<MessageOutcome> {
    const { template, transaction, attempt } = publication;
    const { stream, type } = template;
    const id = messageId(transaction.metadata.namespace ?? '', transaction.metadata.name, template.name);
    const parent = transactionTraceparent(transaction.metadata);
    const span = publicationSpan({ stream, id, type, attempt, parent });
    return new Promise((resolve) => {
      const told = (outcome: MessageOutcome): void => {
        span.end(outcome.kind === 'published' ? undefined : { type: outcome.kind, message: BROKER_AWAY });
        resolve(outcome);
      };
      const event = this.#event(publication, span.traceparent ?? parent);
      this.#waiting.push({ publication: { stream, event }, told });
      if (this.#flushing) return;
      this.#flushing = true;
      // A transaction's messages are published one after the other in the same turn: they go together.
      queueMicrotask(() => void this.#flush());
    });
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_MAX);
      const results = (await this.#publisher?.publish(batch.map(({ publication }) => publication))) ?? [];
      batch.forEach(({ told }, index) => {
        const result = results[index];
        told(result === undefined || result instanceof Error ? UNPUBLISHED : { kind: 'published' });
      });
    }
    this.#flushing = false;
  }

  async ended({ transaction, template }: MessagePublication, signal: AbortSignal): Promise<void> {
    const { namespace = '', name } = transaction.metadata;
    const id = messageId(namespace, name, template.name);
    const over = new AbortController();
    const until = AbortSignal.any([over.signal, signal, AbortSignal.timeout(UNENDED_MS_MAX)]);
    this.#unended.set(id, () => over.abort());
    for (let pauseMs = LOOK_AFTER_MS; !until.aborted; pauseMs = Math.min(2 * pauseMs, LOOK_EVERY_MS_MAX)) {
      await delay(pauseMs, undefined, { signal: until }).catch(() => undefined);
      if (until.aborted || this.#publisher === undefined || this.#publisher.away) break;
      if (!(await this.#publisher.isThere(template.stream, id))) break;
    }
    this.#unended.delete(id);
  }

  async close(): Promise<void> {
    this.#publisher?.close();
    await this.#reader?.close();
  }

  #event({ transaction, template, attempt, reason, detail }: MessagePublication, traceparent: string): MessageEvent {
    const { namespace = '', name } = transaction.metadata;
    const id = messageId(namespace, name, template.name);
    return {
      specversion: '1.0',
      id,
      source: `ordertx/${namespace}/${transaction.spec.flow}`,
      type: template.type,
      subject: transaction.spec.orderId,
      time: new Date(this.#settings.clock.now()).toISOString(),
      datacontenttype: 'application/json',
      reason,
      detail,
      replyto: this.#receipts,
      receipttoken: this.#tokens.of(id),
      attempt,
      traceparent,
      data: transaction.spec.payload,
    };
  }

  #handOn({ id, consumer, result, reason = 'no reason given' }: Receipt): void {
    this.#publisher?.forget(id);
    this.#unended.get(id)?.();
    const target = parseMessageId(id);
    if (target === undefined) return;
    const detail = `${consumer}: ${reason}`;
    const outcome: MessageOutcome = result === 'delivered' ? { kind: result } : { kind: result, detail };
    this.#settings.onReceipt(target.transaction, target.message, outcome);
  }
}
