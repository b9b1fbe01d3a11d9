/**
 * A local copy of one collection, kept current by list and watch.
 *
 *  I1  It never stops by itself: whatever ends a list or a watch, another one follows, after a back-off where the last
 *      one achieved nothing.
 *  I2  Its copies go forward within one history of the store, and a list is the truth whatever it is compared with. etcd
 *      may have been restored from an older snapshot, whose versions may have overtaken ours since: numbers prove nothing.
 *      A watch goes on without a word only where another has just run for exactly as long as it was asked to. After any
 *      other end it is opened at the newest change known, and believed once the object of that change, read after the
 *      watch was opened, is the one held, in all its fields: then that change is in the store's history, and so is all
 *      before it. Where the newest change is none of a held object (it was a deletion, or came with a list, which
 *      says nothing of what was deleted before it), or the object is another, everything is listed anew (ADR 19).
 *  I3  After a list, listeners hear of every object that is new, different or gone: nothing is missed because it
 *      happened while nobody watched.
 *  I4  A watch that has gone silent is cut. The API server sends a bookmark about once a minute where nothing else
 *      happens, so silence means that the connection is dead though it looks alive.
 *  I5  The pages of a list are one conversation: one that is not answered at the first attempt begins it anew, because
 *      the store may have been put back between two of them.
 *  I6  `lastEventAgeMs` grows whenever I1 to I5 do not get through: metrics and alerts look at it.
 *  I7  What may not be listed is no reason for others to wait: it is said once, `forbidden` tells it, and it is asked for again and again.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseExact } from '../../../services/protocol/src/exact-json.ts';
import { backoffMs, type BackoffPolicy } from '../runtime/backoff.ts';
import { delay, type Cancel, type Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { endOf, sentenceOf, type RoundEnd } from './round-end.ts';
import { limitSilence } from './silence.ts';
import { slim } from './slim.ts';
import { isSame, keyOf, resourceVersionOf, type ObjectList, type StoredObject } from './stored-object.ts';
import type { ApiAnswer, Transport } from './transport.ts';

export interface InformerOptions {
  readonly transport: Transport;
  /** The collection's path; see `pathOf`. */
  readonly path: string;
  /**
   * Which of the collection are held. An object that is changed so that it is none of them any more is told as gone, as one that was
   * deleted: a watch says no more of it.
   */
  readonly fieldSelector?: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly pageObjectsMax?: number;
  /** After about this long the API server ends a watch, and it is resumed: so watches spread over API servers again. */
  readonly watchSeconds?: number;
  readonly silenceMsMax?: number;
  readonly backoff?: BackoffPolicy;
}

/** `object` is undefined when it is gone; `version` is the resourceVersion at which this was so. */
export type OnChange<T> = (key: string, object: T | undefined, version: string) => void;

/** Large enough for few round trips, small enough that a page of 64 kB payloads stays below 40 MB. */
const PAGE_OBJECTS_MAX = 500;
const LIST_PAGE_MS = 60_000;
const WATCH_SECONDS = 480;
/** Two bookmarks missed. */
const SILENCE_MS_MAX = 150_000;
/** The cap is how long, at most, an API server that is back goes unnoticed. */
const BACKOFF: BackoffPolicy = { initialMs: 100, maxMs: 5_000, factor: 2, jitter: 0.5 };

/** Lists that no watch follows for long: each costs the API server the whole collection. */
const LIST_BACKOFF: BackoffPolicy = { initialMs: 100, maxMs: 60_000, factor: 3, jitter: 0.5 };
/** Lists asked for from outside: many readers see the same, and a list that changes nothing must not be begun at once again. */
const RELIST_APART_MS = 10_000;
/** No API server is stopped, its store put back and started again in less. */
const SEAMLESS_MS = 2_000;

/** A watch breaks with every restart of an API server; what is still broken the third time is worth a line. */
const FAILURES_USUAL = 3;

type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: { readonly code?: number; readonly message?: string } };

/** What the next round does. */
type Position<T> =
  | { readonly kind: 'list' }
  /** `endedMs`: when the watch before it ended in time, on the monotonic clock; absent after a list. */
  | { readonly kind: 'watch'; readonly version: string; readonly endedMs?: number }
  /** A watch ended before its time: see I2. */
  | { readonly kind: 'prove'; readonly held: T };

export class Informer<T extends StoredObject> {
  readonly path: string;
  readonly #options: InformerOptions;
  readonly #objects = new Map<string, T>();
  readonly #changeListeners: OnChange<T>[] = [];
  readonly #listListeners: ((listNumber: number) => void)[] = [];
  readonly #abort = new AbortController();
  readonly #firstList = Promise.withResolvers<undefined>();
  readonly #firstAnswer = Promise.withResolvers<undefined>();
  #position: Position<T> = { kind: 'list' };
  /** The object whose creation or change is the newest known of the whole collection; undefined where that is none (I2). */
  #newest: T | undefined;
  #listsStarted = 0;
  #listBegunMs = -Infinity;
  /** Lists in a row that no watch followed to its time or to an event. */
  #listsInVain = 0;
  #relist: 'unwanted' | 'wanted' | 'due' = 'unwanted';
  #cancelRelist: Cancel = () => undefined;
  /** Ends the watch under way. */
  #interrupt = new AbortController();
  #synced = false;
  #forbidden = false;
  /** In a row, without one event between them: a list that succeeds is no progress if no watch follows. */
  #failures = 0;
  #heardMs: number;
  #roundMs: number;
  #running: Promise<void> | undefined;

  constructor(options: InformerOptions) {
    this.path = options.path;
    this.#options = options;
    this.#heardMs = this.#roundMs = options.clock.monotonicMs();
  }

  start(): void {
    this.#running ??= this.#run(this.#abort.signal);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancelRelist();
    await this.#running;
  }

  /** Whether the collection has been listed once; before, an absent object means nothing. */
  get synced(): boolean {
    return this.#synced;
  }

  whenSynced(): Promise<void> {
    return this.#firstList.promise;
  }

  /** Resolves once the collection has been listed, or the API server has said that it may not be (I7). */
  whenKnown(): Promise<void> {
    return this.#firstAnswer.promise;
  }

  /** Whether the API server said at the last attempt that this may not be read. */
  get forbidden(): boolean {
    return this.#forbidden;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): Iterable<T> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  /**
   * Asks for a list although the watch seems well: something was read that does not fit what is held. At most one list in
   * RELIST_APART_MS is begun for it.
   */
  relist(): void {
    if (this.#relist !== 'unwanted' || this.#abort.signal.aborted) return;
    this.#relist = 'wanted';
    const { clock } = this.#options;
    const waitMs = this.#listBegunMs + RELIST_APART_MS * (1 + Math.random() / 2) - clock.monotonicMs();
    this.#cancelRelist = clock.setTimer(Math.max(0, waitMs), () => {
      this.#relist = 'due';
      this.#interrupt.abort();
    });
  }

  /** Milliseconds since the API server last said anything here: an event, a bookmark or a list. */
  lastEventAgeMs(): number {
    return this.#options.clock.monotonicMs() - this.#heardMs;
  }

  /**
   * Milliseconds since the loop last heard something or last came round. Grows beyond the longest list or silence only
   * when the loop itself hangs: unlike `lastEventAgeMs`, which an API server that is away lets grow as well, and which is
   * therefore no reason to restart this process.
   */
  stalledMs(): number {
    return this.#options.clock.monotonicMs() - Math.max(this.#heardMs, this.#roundMs);
  }

  /** How many lists were begun: what was stored before list n began is in list n. */
  get listsStarted(): number {
    return this.#listsStarted;
  }

  /** Called for every change, after `get` answers with it. A listener that throws has a bug; it stops nothing. */
  onChange(listener: OnChange<T>): void {
    this.#changeListeners.push(listener);
  }

  /** Called when a list has been taken over, before its changes are told. */
  onList(listener: (listNumber: number) => void): void {
    this.#listListeners.push(listener);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log, backoff = BACKOFF } = this.#options;
    for (;;) {
      this.#roundMs = clock.monotonicMs();
      if (this.#relist === 'due') {
        this.#position = { kind: 'list' };
        log.warn({ path: this.path }, 'what was read does not fit what is held: listing again');
      }
      const end = await this.#round(signal);
      if (signal.aborted) return;
      if (end.kind === 'done' || this.#relist === 'due') continue;
      this.#failures += 1;
      if (end.kind === 'forbidden') this.#found(end.message);
      else {
        log[this.#failures < FAILURES_USUAL ? 'debug' : 'warn'](
          { path: this.path, failures: this.#failures },
          sentenceOf(end),
        );
      }
      const pauseMs = backoffMs(backoff, this.#failures, Math.random());
      const vainMs = this.#position.kind === 'list' ? backoffMs(LIST_BACKOFF, this.#listsInVain, Math.random()) : 0;
      await delay(clock, this.#listsInVain > 1 ? Math.max(pauseMs, vainMs) : pauseMs, signal);
    }
  }

  /** Said once: it is asked for every few seconds, perhaps for weeks. @param why the API server's sentence, where it is forbidden */
  #found(why: string | undefined): void {
    this.#firstAnswer.resolve(undefined);
    if (this.#forbidden === (why !== undefined)) return;
    const { log, path } = this.#options;
    this.#forbidden = why !== undefined;
    if (why === undefined) log.info({ path }, 'this may be read now');
    else log.warn({ path }, `this may not be read, and nothing of it is carried until a Role allows it: ${why}`);
  }

  async #round(signal: AbortSignal): Promise<RoundEnd> {
    const position = this.#position;
    switch (position.kind) {
      case 'list':
        return this.#list(signal);
      case 'watch':
        return this.#after(await this.#watch(position.version, undefined, position.endedMs, signal));
      case 'prove': {
        const { held } = position;
        return this.#after(await this.#watch(resourceVersionOf(held), held, undefined, signal));
      }
    }
  }

  /** What follows the end of a watch. Where it ended in time, the position has moved with its events. */
  #after(end: RoundEnd): RoundEnd {
    switch (end.kind) {
      case 'done':
        break;
      case 'expired':
        this.#position = { kind: 'list' };
        break;
      case 'unproven':
      case 'forbidden':
      case 'broken':
        this.#position = this.#newest === undefined ? { kind: 'list' } : { kind: 'prove', held: this.#newest };
        break;
    }
    return end;
  }

  async #list(signal: AbortSignal): Promise<RoundEnd> {
    this.#listsStarted += 1;
    this.#listBegunMs = this.#options.clock.monotonicMs();
    this.#cancelRelist();
    this.#relist = 'unwanted';
    const listNumber = this.#listsStarted;
    const listed = new Map<string, T>();
    let next: string | undefined;
    do {
      const answer = await this.#page(this.#options.pageObjectsMax ?? PAGE_OBJECTS_MAX, next, signal);
      if (answer.kind !== 'ok') return endOf(answer);
      this.#heard();
      for (const item of answer.body.items) listed.set(keyOf(item), slim(item));
      next = answer.body.metadata.continue || undefined;
      if (next === undefined) this.#take(listed, answer.body.metadata.resourceVersion, listNumber);
    } while (next !== undefined);
    return { kind: 'done' };
  }

  #page(objectsMax: number, next: string | undefined, signal: AbortSignal): Promise<ApiAnswer<ObjectList<T>>> {
    const { transport, path } = this.#options;
    const query = { ...this.#selector(), limit: String(objectsMax), ...(next !== undefined && { continue: next }) };
    const once = next !== undefined; // I5
    return transport.request<ObjectList<T>>({ method: 'GET', path, query, timeoutMs: LIST_PAGE_MS, signal, once });
  }

  #selector(): { readonly fieldSelector?: string } {
    const { fieldSelector } = this.#options;
    return fieldSelector === undefined ? {} : { fieldSelector };
  }

  /** Takes a complete list over and tells what is different (I3). */
  #take(listed: ReadonlyMap<string, T>, version: string, listNumber: number): void {
    const changes: [key: string, object: T | undefined, version: string][] = [];
    for (const key of this.#objects.keys()) {
      if (listed.has(key)) continue;
      this.#objects.delete(key);
      changes.push([key, undefined, version]);
    }
    for (const [key, object] of listed) {
      const held = this.#objects.get(key);
      this.#objects.set(key, object);
      if (held === undefined || !isSame(held, object)) changes.push([key, object, resourceVersionOf(object)]);
    }
    this.#position = { kind: 'watch', version };
    this.#newest = undefined;
    this.#listsInVain += 1;
    this.#synced = true;
    for (const listener of this.#listListeners) listener(listNumber);
    for (const change of changes) this.#tell(...change);
    this.#firstList.resolve(undefined);
    this.#found(undefined);
  }

  /**
   * @param held    the object of the newest change, where that is to be proved first (I2)
   * @param endedMs when the watch before it ended in time
   */
  async #watch(
    version: string,
    held: T | undefined,
    endedMs: number | undefined,
    signal: AbortSignal,
  ): Promise<RoundEnd> {
    const { clock, transport, path, watchSeconds = WATCH_SECONDS, silenceMsMax = SILENCE_MS_MAX } = this.#options;
    // Spread, or the watches of all replicas, begun together, would end together for ever.
    const timeoutSeconds = Math.ceil(watchSeconds * (0.75 + Math.random() / 2));
    const query = {
      ...this.#selector(),
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: version,
      timeoutSeconds: String(timeoutSeconds),
    };
    this.#interrupt = new AbortController();
    const silence = limitSilence({
      ...{ clock, silenceMsMax, heardMs: () => this.#heardMs },
      outer: AbortSignal.any([signal, this.#interrupt.signal]),
    });
    const askedMs = clock.monotonicMs();
    try {
      const answer = await transport.stream(path, query, silence.signal);
      if (answer.kind !== 'ok') return endOf(answer);
      if (endedMs !== undefined && clock.monotonicMs() - endedMs > SEAMLESS_MS) return { kind: 'unproven' };
      const doubt = held === undefined ? undefined : await this.#doubt(held, silence.signal);
      if (doubt !== undefined) return doubt;
      for await (const line of answer.body) {
        const end = this.#takeEvent(parseExact(line) as WatchEvent<T>);
        if (end !== undefined) return end;
      }
    } catch (error) {
      const reason = silence.signal.aborted && !signal.aborted ? 'it was silent for too long' : String(error);
      return { kind: 'broken', message: `the watch broke: ${reason}` };
    } finally {
      silence.end();
    }
    const nowMs = clock.monotonicMs();
    if (nowMs - askedMs < timeoutSeconds * 1000)
      return { kind: 'broken', message: 'the API server ended the watch before its time' };
    this.#failures = this.#listsInVain = 0;
    const seen = this.#position.kind === 'watch' ? this.#position.version : version;
    this.#position = { kind: 'watch', version: seen, endedMs: nowMs };
    return { kind: 'done' };
  }

  /** Whether the object of the newest change is the stored one, and so the store's history ours; else how the watch ends. */
  async #doubt(held: T, signal: AbortSignal): Promise<RoundEnd | undefined> {
    const { transport } = this.#options;
    const path = `${this.path}/${encodeURIComponent(held.metadata.name)}`;
    const answer = await transport.request<T>({ method: 'GET', path, signal });
    if (answer.kind === 'ok' && isDeepStrictEqual(slim(answer.body), held)) return undefined;
    // Whatever else is stored there, or nothing: it may be our history, further on. Only a list tells.
    if (answer.kind === 'ok' || (answer.kind === 'error' && answer.error.status === 404)) return { kind: 'expired' };
    return endOf(answer);
  }

  #takeEvent(event: WatchEvent<T>): RoundEnd | undefined {
    if (event.type === 'ERROR') {
      if (event.object.code === 410) return { kind: 'expired' };
      return {
        kind: 'broken',
        message: `the API server ended the watch: ${event.object.message ?? 'without a reason'}`,
      };
    }
    this.#heard();
    this.#failures = this.#listsInVain = 0;
    const version = resourceVersionOf(event.object);
    this.#position = { kind: 'watch', version };
    switch (event.type) {
      case 'BOOKMARK':
        return undefined;
      case 'ADDED':
      case 'MODIFIED': {
        const object = slim(event.object);
        const key = keyOf(object);
        this.#objects.set(key, object);
        this.#newest = object;
        this.#tell(key, object, version);
        return undefined;
      }
      case 'DELETED': {
        const key = keyOf(event.object);
        this.#objects.delete(key);
        this.#newest = undefined;
        this.#tell(key, undefined, version);
        return undefined;
      }
    }
  }

  #heard(): void {
    this.#heardMs = this.#options.clock.monotonicMs();
  }

  #tell(key: string, object: T | undefined, version: string): void {
    for (const listener of this.#changeListeners) {
      try {
        listener(key, object, version);
      } catch (error) {
        this.#options.log.error({ err: error, key }, 'a listener to changes threw: this is a bug');
      }
    }
  }
}
