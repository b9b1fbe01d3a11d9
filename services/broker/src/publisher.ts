/**
 * A sender's end of the message streams.
 *
 * 1. A publication says only that the broker has it; a message counts as sent when its receipt comes (T7).
 * 2. An entry that still lies on its stream is not added again: its consumer has not ended it, and copies would fill a Redis whose
 *    consumer is away. Which entry it was is remembered in memory; forgetting it costs a copy, and nothing else.
 * 3. The broker counts as away while there is no connection, and after a refusal that would meet every message (full, read-only):
 *    then it is asked by one probe at a time, and not by whatever waits. So nothing need be attempted while it is away.
 */
import type { Redis } from 'ioredis';
import { MESSAGE_FIELD, messagesStream, stringifyAnyDepth, type MessageEvent } from '../../protocol/src/index.ts';
import { commandConnection, reasonOf } from './connections.ts';
import type { BrokerMetrics } from './metrics.ts';

/**
 * A safety net only: what it drops is published again. An hour of 250 messages a second; at 1 to 2 kB each they take 1 to 2 GB, so
 * a Redis that is smaller refuses before that (docs/reference/messages.md says how to size it).
 */
const STREAM_ENTRIES_MAX = 1_000_000;
/** Open messages of which this process remembers their entry; about 150 bytes each. */
const REMEMBERED_MAX = 100_000;
const PROBE_MIN_MS = 500;
const PROBE_MAX_MS = 10_000;
/** Refusals that say something about the server, not about the command. */
const REFUSED = /^(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|CLUSTERDOWN|NOPERM|NOAUTH)\b/;

export interface PublisherOptions {
  readonly redisUrl: string;
  readonly metrics: Pick<BrokerMetrics, 'published'>;
  /** A key that nobody uses, below this sender's own; the probe names it. */
  readonly probeKey: string;
  /** Once for each change; `reason` where it is away. */
  readonly onChange: (state: { readonly away: false } | { readonly away: true; readonly reason: unknown }) => void;
}

export interface Publication {
  /** Of the service that reads it. */
  readonly stream: string;
  readonly event: MessageEvent;
}

/** An Error where the broker did not take it. */
export type Published = 'added' | 'still-there' | Error;

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #commands: Redis;
  /** Message id to entry id, the longest unused first. */
  readonly #entries = new Map<string, string>();
  #away = true;
  #closing = false;
  #probeTimer: NodeJS.Timeout | undefined;
  #probeMs = PROBE_MIN_MS;
  #openedAtMs = 0;

  /** Starts at once; a Redis that is away is waited for. */
  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#commands = commandConnection(options.redisUrl);
    this.#commands.on('ready', () => void this.#probe());
    this.#commands.on('close', () => this.#close(new Error('the connection was lost')));
  }

  /** While it is, nothing need be attempted. */
  get away(): boolean {
    return this.#away;
  }

  async ping(): Promise<boolean> {
    return this.#commands.ping().then(
      (answer) => answer === 'PONG',
      () => false,
    );
  }

  /** Resolves, never rejects: one result for each. */
  async publish(publications: readonly Publication[]): Promise<readonly Published[]> {
    const results = await this.#publish(publications);
    publications.forEach(({ stream, event }, index) => {
      const result = results[index];
      this.#options.metrics.published(stream, event.attempt ?? 1, typeof result === 'string' ? result : 'failed');
    });
    return results;
  }

  async #publish(publications: readonly Publication[]): Promise<readonly Published[]> {
    if (this.#away) return publications.map(() => new Error('Redis is away'));
    const there = await this.#stillThere(publications.map(({ stream, event: { id } }) => ({ stream, id })));
    const commands = this.#commands.pipeline();
    const added = publications.filter(({ event }) => !there.has(event.id));
    for (const { stream, event } of added) {
      const text = stringifyAnyDepth(event);
      commands.xadd(messagesStream(stream), 'MAXLEN', '~', STREAM_ENTRIES_MAX, '*', MESSAGE_FIELD, text);
    }
    const results = added.length === 0 ? [] : await answersOf(commands.exec());
    const failures = new Map<string, Error>();
    added.forEach(({ event }, index) => {
      const { error, value } = results[index] ?? { error: new Error('there was no answer') };
      if (error === undefined) this.#remember(event.id, String(value));
      else failures.set(event.id, error);
    });
    const [failure] = failures.values();
    if (failure !== undefined && isAboutTheServer(failure)) this.#close(failure);
    return publications.map(({ event }) => failures.get(event.id) ?? (there.has(event.id) ? 'still-there' : 'added'));
  }

  /** Whether the message's last entry has not been ended by its consumer; false where nobody knows which it was. */
  async isThere(stream: string, messageId: string): Promise<boolean> {
    return (await this.#stillThere([{ stream, id: messageId }])).has(messageId);
  }

  /** Of these messages, those whose last entry has not been ended by its consumer. */
  async #stillThere(messages: readonly { stream: string; id: string }[]): Promise<ReadonlySet<string>> {
    const known = messages.flatMap(({ stream, id }) => {
      const entry = this.#entries.get(id);
      return entry === undefined ? [] : [{ id, stream, entry }];
    });
    if (known.length === 0) return new Set();
    const commands = this.#commands.pipeline();
    for (const { stream, entry } of known) commands.xrange(messagesStream(stream), entry, entry);
    const answers = await answersOf(commands.exec());
    const there = known.filter((_, index) => {
      const value = answers[index]?.value;
      return Array.isArray(value) && value.length > 0;
    });
    return new Set(there.map(({ id }) => id));
  }

  /** Its receipt has come. */
  forget(messageId: string): void {
    this.#entries.delete(messageId);
  }

  close(): void {
    this.#closing = true;
    clearTimeout(this.#probeTimer);
    this.#commands.disconnect();
  }

  #remember(messageId: string, entry: string): void {
    this.#entries.delete(messageId);
    this.#entries.set(messageId, entry);
    const [oldest] = this.#entries.size > REMEMBERED_MAX ? this.#entries.keys() : [];
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  #close(reason: unknown): void {
    if (this.#closing) return;
    if (!this.#away) {
      this.#away = true;
      // A server that is full now and then would wake and refuse everybody at each probe: the probes grow apart.
      const opened = performance.now() - this.#openedAtMs;
      this.#probeMs = opened < 2 * PROBE_MAX_MS ? Math.min(2 * this.#probeMs, PROBE_MAX_MS) : PROBE_MIN_MS;
      this.#options.onChange({ away: true, reason: reasonOf(this.#commands, reason) });
    }
    this.#probeLater();
  }

  #probeLater(): void {
    clearTimeout(this.#probeTimer);
    if (this.#commands.status !== 'ready') return; // Asked again once it is.
    this.#probeTimer = setTimeout(() => void this.#probe(), this.#probeMs * (0.75 + Math.random() / 2));
    this.#probeTimer.unref();
  }

  /** Refused like every publication would be, and without an effect where it is not: there is no stream of this name. */
  async #probe(): Promise<void> {
    try {
      await this.#commands.xadd(this.#options.probeKey, 'NOMKSTREAM', '*', 'probe', '');
    } catch {
      this.#probeLater();
      return;
    }
    if (this.#closing || !this.#away) return;
    this.#away = false;
    this.#openedAtMs = performance.now();
    this.#options.onChange({ away: false });
  }
}

interface Answer {
  readonly error?: Error;
  readonly value?: unknown;
}

/** A pipeline rejects as a whole where there is no connection. */
async function answersOf(
  execution: Promise<[error: Error | null, value: unknown][] | null>,
): Promise<readonly Answer[]> {
  try {
    return ((await execution) ?? []).map(([error, value]) => (error === null ? { value } : { error }));
  } catch (error) {
    return [{ error: error instanceof Error ? error : new Error(String(error)) }];
  }
}

function isAboutTheServer({ message }: Error): boolean {
  return REFUSED.test(message) || /timed out/i.test(message);
}
