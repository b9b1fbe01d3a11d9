/**
 * A sender's receipts: read from its own stream, judged, handed on, deleted.
 *
 * 1. The stream is read from its beginning each time: what was handed on is deleted, so no position has to be kept, and a wiped Redis
 *    needs no mending.
 * 2. What is no receipt, or does not prove that its sender could read the message, is deleted and counted. Nothing that lies on the
 *    stream can hold up what lies behind it.
 * 3. Receipts that could not be recorded stay and come again, after a pause.
 */
import type { Redis } from 'ioredis';
import { RECEIPT_FIELD, receiptSchema, type Receipt } from '../../protocol/src/index.ts';
import { blockingConnection, closeReader, reasonOf } from './connections.ts';
import type { ReceiptTokens } from './receipt-tokens.ts';
import { Trouble, type Telling } from './trouble.ts';

const RECEIPTS_PER_READ_MAX = 500;
/** How long a read waits for the first receipt; bounds how late a shutdown is seen. */
const READ_BLOCK_MS = 500;
/** A sender that is gone for this long leaves no stream behind. Renewed with every read. */
export const RECEIPTS_EXPIRE_SECONDS = 3_600;
/** A receipt has an id, a name, a token and a reason of 2,048 characters, which JSON may write six times as long. */
const RECEIPT_CHARS_MAX = 32 * 1024;
const CLOSE_PATIENCE_MS = 2 * READ_BLOCK_MS;

/** Why a receipt did not count. */
export type Dropped = 'malformed' | 'unproven';

/** For the log. */
export const DROPPED =
  'a receipt was dropped: it is none, or lacks the token of the message, so whoever wrote it may not have read that';
const TELL_EVERY_MS = 60_000;

export interface ReceiptsOptions {
  readonly redisUrl: string;
  /** This sender's own. */
  readonly stream: string;
  readonly tokens: ReceiptTokens;
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
  }

  async #readOnce(): Promise<void> {
    const { stream, settle } = this.#options;
    const read = (await this.#connection.xread(
      ...(['COUNT', RECEIPTS_PER_READ_MAX, 'BLOCK', READ_BLOCK_MS, 'STREAMS', stream, '0'] as const),
    )) as readonly [stream: string, entries: readonly Entry[]][] | null;
    const entries = read?.[0]?.[1] ?? [];
    const receipts = entries.flatMap(([, fields]) => this.#proven(fields ?? []));
    if (receipts.length > 0) await settle(receipts);
    if (entries.length > 0) await this.#connection.xdel(stream, ...entries.map(([id]) => id));
    await this.#connection.expire(stream, RECEIPTS_EXPIRE_SECONDS);
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
    this.#options.onDropped(why, tell);
    return [];
  }
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
