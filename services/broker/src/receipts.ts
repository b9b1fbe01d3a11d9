/**
 * A sender's receipts: read from its own stream, judged, handed on, deleted.
 *
 * 1. The stream is read from its beginning each time: what was handed on is deleted, so no position has to be kept, and a wiped Redis
 *    needs no mending.
 * 2. What is no receipt, or does not prove that its sender could read the message, is deleted and counted. Nothing that lies on the
 *    stream can hold up what lies behind it.
 * 3. Receipts that could not be recorded stay and come again, after a pause.
 * 4. What was handed on is deleted in the same flight that asks for more: a write to the socket costs both ends more than the command.
 */
import type { Redis } from 'ioredis';
import { RECEIPT_FIELD, receiptSchema, type Receipt } from '../../protocol/src/index.ts';
import { blockingConnection, closeReader, reasonOf } from './connections.ts';
import type { BrokerMetrics, Dropped } from './metrics.ts';
import type { ReceiptTokens } from './receipt-tokens.ts';
import { Trouble, type Telling } from './trouble.ts';

const RECEIPTS_PER_READ_MAX = 500;
/** How long a read waits for the first receipt; bounds how late a shutdown is seen. */
const READ_BLOCK_MS = 500;
/** A sender that is gone for this long leaves no stream behind. */
export const RECEIPTS_EXPIRE_SECONDS = 3_600;
/** Whoever writes the first receipt to a new stream lets it expire as well, so no stream is without an end meanwhile. */
const RENEW_EVERY_MS = 60_000;
/** A receipt has an id, a name, a token and a reason of 2,048 characters, which JSON may write six times as long. */
const RECEIPT_CHARS_MAX = 32 * 1024;
const CLOSE_PATIENCE_MS = 2 * READ_BLOCK_MS;

/** For the log. */
export const DROPPED =
  'a receipt was dropped: it is none, or lacks the token of the message, so whoever wrote it may not have read that';
const TELL_EVERY_MS = 60_000;

export interface ReceiptsOptions {
  readonly redisUrl: string;
  /** This sender's own. */
  readonly stream: string;
  readonly tokens: ReceiptTokens;
  readonly metrics: Pick<BrokerMetrics, 'received' | 'receiptDropped'>;
  /** Rejects where they could not be recorded: they come again. */
  readonly settle: (receipts: readonly Receipt[]) => Promise<void> | void;
  /** `tell`: for the first of its kind in a while. */
  readonly onDropped: (why: Dropped, tell: boolean) => void;
  readonly trouble: Telling;
}

type Entry = readonly [id: string, fields: readonly string[] | null];

export class ReceiptsReader {
  readonly #options: ReceiptsOptions;
  readonly #connection: Redis;
  readonly #trouble: Trouble;
  readonly #closing = new AbortController();
  readonly #toldAtMs = new Map<Dropped, number>();
  /** Handed on, and still on the stream. */
  #handedOn: readonly string[] = [];
  #renewAtMs = 0;
  readonly #reading: Promise<void>;

  /** Starts at once; a Redis that is away is waited for. */
  constructor(options: ReceiptsOptions) {
    this.#options = options;
    this.#trouble = new Trouble(options.trouble);
    this.#connection = blockingConnection(options.redisUrl);
    this.#reading = this.#read();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await closeReader(this.#connection, this.#reading, CLOSE_PATIENCE_MS);
  }

  async #read(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#readOnce();
        this.#trouble.worked();
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble.failed(reasonOf(this.#connection, error));
        await this.#trouble.pause(signal);
      }
    }
    if (this.#handedOn.length > 0)
      await this.#connection.xdel(this.#options.stream, ...this.#handedOn).catch(() => undefined);
  }

  async #readOnce(): Promise<void> {
    const entries = await this.#nextEntries();
    const receipts = entries.flatMap(([, fields]) => this.#proven(fields ?? []));
    if (receipts.length > 0) await this.#options.settle(receipts);
    for (const receipt of receipts) this.#options.metrics.received(receipt);
    this.#handedOn = entries.map(([id]) => id);
  }

  /** Takes what was handed on off the stream, and waits a moment for the first of the others. */
  async #nextEntries(): Promise<readonly Entry[]> {
    const { stream } = this.#options;
    const query = ['COUNT', RECEIPTS_PER_READ_MAX, 'BLOCK', READ_BLOCK_MS, 'STREAMS', stream, '0'] as const;
    const handedOn = this.#handedOn;
    const renew = performance.now() >= this.#renewAtMs;
    // Alone it is sent again by itself after the connection was lost, which says nothing while nothing comes.
    if (handedOn.length === 0 && !renew) return entriesIn(await this.#connection.xread(...query));
    const commands = this.#connection.pipeline();
    if (handedOn.length > 0) commands.xdel(stream, ...handedOn);
    if (renew) commands.expire(stream, RECEIPTS_EXPIRE_SECONDS);
    const answers = (await commands.xread(...query).exec()) ?? [];
    const failed = answers.find(([error]) => error !== null)?.[0];
    if (failed) throw failed;
    this.#handedOn = [];
    if (renew) this.#renewAtMs = performance.now() + RENEW_EVERY_MS;
    return entriesIn(answers.at(-1)?.[1]);
  }

  #proven(fields: readonly string[]): readonly Receipt[] {
    const receipt = readReceipt(fields);
    if (receipt === undefined) return this.#drop('malformed');
    return this.#options.tokens.proves(receipt.id, receipt.token) ? [receipt] : this.#drop('unproven');
  }

  #drop(why: Dropped): readonly Receipt[] {
    const nowMs = performance.now();
    const tell = nowMs >= (this.#toldAtMs.get(why) ?? -Infinity) + TELL_EVERY_MS;
    if (tell) this.#toldAtMs.set(why, nowMs);
    this.#options.metrics.receiptDropped(why);
    this.#options.onDropped(why, tell);
    return [];
  }
}

function entriesIn(read: unknown): readonly Entry[] {
  const streams = read as readonly [stream: string, entries: readonly Entry[]][] | null;
  return streams?.[0]?.[1] ?? [];
}

/** Undefined for what is no receipt. */
function readReceipt(fields: readonly string[]): Receipt | undefined {
  const at = fields.findIndex((name, index) => index % 2 === 0 && name === RECEIPT_FIELD);
  const text = at === -1 ? undefined : fields[at + 1];
  if (text === undefined || text.length > RECEIPT_CHARS_MAX) return undefined;
  try {
    const receipt = receiptSchema.safeParse(JSON.parse(text));
    return receipt.success ? receipt.data : undefined;
  } catch {
    return undefined;
  }
}
