/**
 * A service's consumer group on its stream: hands out entries, and takes them off when they are ended.
 *
 * 1. One group, named as the stream, shared by all replicas; it begins at id 0, and is made again whenever Redis has lost it. No
 *    position is remembered anywhere else, so an empty Redis needs no mending.
 * 2. Entries that another consumer has read and not ended for the takeover time are taken over: it has died. One that is handled
 *    here for longer is claimed again in time, so that slowness is not taken for death.
 * 3. What was read over a connection that was lost, or could not be taken off the stream, is this consumer's own and in nobody's hand:
 *    it is read again after each reconnect and each failure.
 */
import { once } from 'node:events';
import type { ChainableCommander, Redis } from 'ioredis';
import { blockingConnection, closeReader, commandConnection, reasonOf } from '../../../broker/src/connections.ts';
import { RECEIPTS_EXPIRE_SECONDS } from '../../../broker/src/receipts.ts';
import { messagesStream } from '../../../protocol/src/index.ts';

/** How long a read waits for the first entry; bounds how late a shutdown is seen. */
const READ_BLOCK_MS = 500;
const TAKEOVER_EVERY_MS = 5_000;
/** A consumer of the group that has been silent for this long and holds nothing is a replica of the past. */
const SILENT_CONSUMER_MS = 3_600_000;
/** At the start, and below what a shutdown waits for. */
const CONNECT_PATIENCE_MS = 900;
const CLOSE_PATIENCE_MS = 2 * READ_BLOCK_MS;
/** A safety net for a sender that has gone: it would never have read so many. */
const ANSWERS_MAX = 100_000;
/** XACK and XDEL. */
const TAKEN_OFF_BY = 2;

/** An entry's id, and its fields' names and values in turn. */
export type Entry = readonly [id: string, fields: readonly string[]];
/** Without fields where it was deleted under us. */
type RawEntry = readonly [id: string, fields: readonly string[] | null];

/** An entry for its sender's stream. */
export interface Answer {
  readonly stream: string;
  readonly field: string;
  readonly text: string;
}

/** Entries that have not been ended, those in hand included. */
export interface Backlog {
  readonly waiting: number;
  /** 0 without one. */
  readonly oldestSeconds: number;
}

const NO_BACKLOG: Backlog = { waiting: 0, oldestSeconds: 0 };

export interface GroupOptions {
  readonly redisUrl: string;
  readonly service: string;
  /** Unique among the replicas. */
  readonly replica: string;
  readonly takeoverIdleMs: number;
  readonly onTakenOver: (entries: number) => void;
}

export class Group {
  readonly stream: string;
  readonly #options: GroupOptions;
  readonly #reader: Redis;
  /** For everything that does not block. */
  readonly commands: Redis;
  /** Ids of the entries being handled. */
  readonly #inHand = new Set<string>();
  #takeOverAtMs = 0;
  /** Where in its own entries it goes on reading; undefined while none can have been lost. */
  #ownFrom: string | undefined = '0';

  /** Starts to connect at once; a Redis that is away is waited for. */
  constructor(options: GroupOptions) {
    this.#options = options;
    this.stream = messagesStream(options.service);
    this.#reader = blockingConnection(options.redisUrl);
    this.commands = commandConnection(options.redisUrl);
    for (const connection of [this.#reader, this.commands]) connection.on('ready', () => (this.#ownFrom = '0'));
  }

  /** Resolves once it is connected, or after a moment: what is not there by then is trouble, which the first command tells. */
  async connected(): Promise<void> {
    if (this.commands.status === 'ready') return;
    const patience = AbortSignal.timeout(CONNECT_PATIENCE_MS);
    await once(this.commands, 'ready', { signal: patience }).catch(() => undefined);
  }

  /** At most `count`, and what is handed out is in hand until it is `ended`. Waits a moment for the first. */
  async next(count: number): Promise<readonly Entry[]> {
    const entries = await this.#read(count);
    for (const [id] of entries) this.#inHand.add(id);
    return entries;
  }

  /**
   * Its handling is over: it is answered, and taken off the stream whether that answer is taken or not. Rejects where it could not be
   * taken off: then it comes again.
   *
   * @returns why the answer was not taken
   */
  async end(id: string, answer: Answer | undefined): Promise<Error | undefined> {
    const { service } = this.#options;
    try {
      // In one flight, but not in MULTI, where one refused command would undo the others. Acknowledged and not deleted costs only space.
      const commands = this.commands.pipeline();
      if (answer !== undefined) addAnswer(commands, answer);
      commands.xack(this.stream, service, id).xdel(this.stream, id);
      const errors = ((await commands.exec()) ?? []).map(([error]) => error);
      const failed = errors.slice(-TAKEN_OFF_BY).find((error) => error !== null);
      if (failed) throw failed;
      return errors.find((error) => error !== null) ?? undefined;
    } catch (error) {
      this.#ownFrom = '0';
      throw error;
    } finally {
      this.#inHand.delete(id);
    }
  }

  /** Its handling ended nowhere: it is taken over like that of a consumer that has died. */
  letGo(id: string): void {
    this.#inHand.delete(id);
  }

  /** Makes the group. Another replica may be faster. */
  async make(): Promise<void> {
    try {
      await this.commands.xgroup('CREATE', this.stream, this.#options.service, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
    }
  }

  /** What lies on the stream, by the clock of Redis; undefined where it does not say. Asks for nothing that a consumer's rights lack. */
  async backlog(): Promise<Backlog | undefined> {
    const commands = this.commands.pipeline().xinfo('STREAM', this.stream).info('server');
    const [stream, server] = (await commands.exec().catch(() => null)) ?? [];
    if (stream === undefined || server?.[0] !== null) return undefined;
    // There is no stream before the first message.
    if (stream[0] !== null) return stream[0].message.includes('no such key') ? NO_BACKLOG : undefined;
    const { length, 'first-entry': first } = fieldsOf(stream[1] as readonly unknown[]);
    const addedMs = Array.isArray(first) ? Number.parseInt(String(first[0]), 10) : NaN;
    const nowMs = Number(/^server_time_usec:(\d+)/m.exec(String(server[1]))?.[1]) / 1_000;
    return { waiting: Number(length), oldestSeconds: Math.max(0, nowMs - addedMs) / 1_000 || 0 };
  }

  reasonOf(error: unknown): unknown {
    return reasonOf(this.commands, reasonOf(this.#reader, error));
  }

  async closeReading(loop: Promise<void>): Promise<void> {
    await closeReader(this.#reader, loop, CLOSE_PATIENCE_MS);
  }

  async leave(): Promise<void> {
    await this.#leaveGroup().catch(() => undefined);
    this.commands.disconnect();
  }

  async #read(count: number): Promise<readonly Entry[]> {
    const { takeoverIdleMs } = this.#options;
    if (performance.now() >= this.#takeOverAtMs) {
      await this.#keepHold();
      const taken = await this.#takeOver(count, takeoverIdleMs);
      if (taken.length > 0) return taken;
      this.#takeOverAtMs = performance.now() + Math.min(TAKEOVER_EVERY_MS, takeoverIdleMs);
    }
    if (this.#ownFrom !== undefined) {
      const own = await this.#own(count, this.#ownFrom);
      if (own.length > 0) return own;
    }
    const { service, replica } = this.#options;
    const read = await this.#reader.xreadgroup(
      ...(['GROUP', service, replica, 'COUNT', count, 'BLOCK', READ_BLOCK_MS, 'STREAMS', this.stream, '>'] as const),
    );
    return entriesIn(read);
  }

  /** Its own entries that are in nobody's hand, page by page. */
  async #own(count: number, from: string): Promise<readonly Entry[]> {
    const { service, replica } = this.#options;
    const read = await this.#reader.xreadgroup(
      ...(['GROUP', service, replica, 'COUNT', count, 'STREAMS', this.stream, from] as const),
    );
    const page = entriesIn(read);
    if (this.#ownFrom === from) this.#ownFrom = page.at(-1)?.[0];
    return page.filter(([id]) => !this.#inHand.has(id));
  }

  async #takeOver(count: number, idleMs: number): Promise<readonly Entry[]> {
    const { service, replica } = this.#options;
    const answer = await this.commands.xautoclaim(this.stream, service, replica, idleMs, '0', 'COUNT', count);
    const taken = (answer as unknown as readonly [cursor: string, entries: readonly RawEntry[]])[1];
    const entries = taken.filter(([id]) => !this.#inHand.has(id)).map(([id, fields]): Entry => [id, fields ?? []]);
    if (entries.length > 0) this.#options.onTakenOver(entries.length);
    return entries;
  }

  /** What is still being handled here, slowly, has no dead consumer. */
  async #keepHold(): Promise<void> {
    if (this.#inHand.size === 0) return;
    const { service, replica } = this.#options;
    await this.commands.xclaim(this.stream, service, replica, 0, ...this.#inHand, 'JUSTID');
  }

  /** Replicas come and go; a consumer that holds nothing is no loss, one that holds something is left to be taken over. */
  async #leaveGroup(): Promise<void> {
    const { service, replica } = this.#options;
    const consumers = (await this.commands.xinfo('CONSUMERS', this.stream, service)) as readonly unknown[][];
    for (const consumer of consumers) {
      const { name, pending, idle } = fieldsOf(consumer);
      const gone = name === replica || Number(idle) > SILENT_CONSUMER_MS;
      if (gone && Number(pending) === 0) await this.commands.xgroup('DELCONSUMER', this.stream, service, String(name));
    }
  }
}

/** The stream or its group is not there, or was deleted while we waited at it. */
export function isGroupMissing(error: unknown): boolean {
  return error instanceof Error && /^(NOGROUP|UNBLOCKED)/.test(error.message);
}

/** A stream that is new with this entry, because its reader is gone or has read nothing yet, goes by itself. */
function addAnswer(commands: ChainableCommander, { stream, field, text }: Answer): void {
  commands.xadd(stream, 'MAXLEN', '~', ANSWERS_MAX, '*', field, text);
  commands.expire(stream, RECEIPTS_EXPIRE_SECONDS, 'NX');
}

function entriesIn(read: unknown): readonly Entry[] {
  const streams = read as readonly [stream: string, entries: readonly RawEntry[]][] | null;
  return (streams?.[0]?.[1] ?? []).map(([id, fields]) => [id, fields ?? []]);
}

/** Redis gives a consumer's description as names and values in turn. */
function fieldsOf(flat: readonly unknown[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, index) => [String(flat[2 * index]), flat[2 * index + 1]]),
  );
}
