/**
 * The controller's end of the message streams: publishes, and hands on the receipts that come back.
 *
 * 1. A publication says only that the broker has it; a message counts as sent when its receipt comes (T7).
 * 2. A receipt counts only with the message's token, which this process has made: services/broker does that, as for the services.
 * 3. Nothing here outlives the process: a receipt that is lost is asked for again by publishing again.
 */
import { Publisher } from '../../../services/broker/src/publisher.ts';
import { ReceiptTokens } from '../../../services/broker/src/receipt-tokens.ts';
import { ReceiptsReader, type Dropped } from '../../../services/broker/src/receipts.ts';
import type { Doing } from '../../../services/broker/src/metrics.ts';
import {
  messageId,
  parseMessageId,
  receiptsStream,
  type MessageEvent,
  type Receipt,
} from '../../../services/protocol/src/index.ts';
import type { Clock, Key, MessagePublication, Messages } from '../reconcile/ports.ts';
import type { MessageOutcome } from '../transaction/answers.ts';

export interface MessagesSettings {
  readonly redisUrl: string;
  readonly replica: string;
  readonly clock: Clock;
  readonly onReceipt: (transaction: Key, message: string, outcome: MessageOutcome) => void;
  /** Once for each change: `error` says why it cannot be done, undefined that it can be done again. */
  readonly onTrouble: (doing: Doing, error: unknown) => void;
  /** `tell`: for the first of its kind in a while. */
  readonly onDropped: (why: Dropped, tell: boolean) => void;
}

const AWAY: MessageOutcome = {
  kind: 'unpublished',
  detail: 'Redis did not take it: check that the Redis of REDIS_URL is up and writable',
};

export class RedisMessages implements Messages {
  readonly #settings: MessagesSettings;
  readonly #receipts: string;
  readonly #tokens = new ReceiptTokens();
  #publisher: Publisher | undefined;
  #reader: ReceiptsReader | undefined;

  constructor(settings: MessagesSettings) {
    this.#settings = settings;
    this.#receipts = receiptsStream(settings.replica);
  }

  /** Begins to connect and to read receipts; a Redis that is away is waited for. */
  start(): void {
    const { redisUrl, onTrouble, onDropped } = this.#settings;
    this.#publisher = new Publisher({
      redisUrl,
      probeKey: `${this.#receipts}.probe`,
      onChange: (state) => onTrouble('publish', state.away ? state.reason : undefined),
    });
    this.#reader = new ReceiptsReader({
      ...{ redisUrl, stream: this.#receipts, tokens: this.#tokens, onDropped },
      settle: (receipts) => {
        for (const receipt of receipts) this.#handOn(receipt);
      },
      trouble: {
        warn: (error) => onTrouble('read receipts', error),
        well: () => onTrouble('read receipts', undefined),
      },
    });
  }

  /** While it is, nothing need be published. */
  get away(): boolean {
    return this.#publisher?.away ?? true;
  }

  async ping(): Promise<boolean> {
    return (await this.#publisher?.ping()) ?? false;
  }

  async publish(publication: MessagePublication): Promise<MessageOutcome> {
    const { stream } = publication.template;
    const results = await this.#publisher?.publish([{ stream, event: this.#event(publication) }]);
    return results?.[0] === undefined || results[0] instanceof Error ? AWAY : { kind: 'published' };
  }

  async close(): Promise<void> {
    this.#publisher?.close();
    await this.#reader?.close();
  }

  #event({ transaction, template, attempt, reason, detail }: MessagePublication): MessageEvent {
    const { namespace = '', name, annotations } = transaction.metadata;
    const traceparent = annotations?.['ordertx.dev/traceparent'];
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
      ...(traceparent === undefined ? {} : { traceparent }),
      data: transaction.spec.payload,
    };
  }

  #handOn({ id, consumer, result, reason = 'no reason given' }: Receipt): void {
    this.#publisher?.forget(id);
    const target = parseMessageId(id);
    if (target === undefined) return;
    const detail = `${consumer}: ${reason}`;
    const outcome: MessageOutcome = result === 'delivered' ? { kind: result } : { kind: result, detail };
    this.#settings.onReceipt(target.transaction, target.message, outcome);
  }
}
