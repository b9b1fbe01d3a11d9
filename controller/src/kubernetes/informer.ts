/**
 * A local copy of one collection, kept current by list and watch.
 *
 *  I1  It never stops by itself: whatever ends a list or a watch, another one follows, after a back-off where the last
 *      one achieved nothing.
 *  I2  Its copies only go forward, with one exception: a list is the truth, also where it is older than what is held
 *      (etcd was restored from a snapshot). Before a watch is resumed after a broken one, the API server is asked
 *      whether its history still reaches as far as ours; if not, everything is listed anew.
 *  I3  After a list, listeners hear of every object that is new, different or gone: nothing is missed because it
 *      happened while nobody watched.
 *  I4  A watch that has gone silent is cut. The API server sends a bookmark about once a minute where nothing else
 *      happens, so silence means that the connection is dead though it looks alive.
 *  I5  `lastEventAgeMs` grows whenever I1 to I4 do not get through: metrics and alerts look at it.
 */
import { backoffMs, type BackoffPolicy } from '../runtime/backoff.ts';
import { delay, type Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { isNewer, keyOf, resourceVersionOf, type ObjectList, type StoredObject } from './stored-object.ts';
import type { ApiAnswer, Transport } from './transport.ts';

export interface InformerOptions {
  readonly transport: Transport;
  /** The collection's path; see `pathOf`. */
  readonly path: string;
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

/** A watch breaks with every restart of an API server; what is still broken the third time is worth a line. */
const FAILURES_USUAL = 3;

type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }
  | { readonly type: 'ERROR'; readonly object: { readonly code?: number; readonly message?: string } };

/** How one list or watch ended. */
type RoundEnd =
  | { readonly kind: 'done' }
  /** What we hold is too old to be continued from (HTTP 410): list again. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'broken'; readonly message: string };

/** What the next round does. */
type Position =
  | { readonly kind: 'list' }
  | { readonly kind: 'watch'; readonly version: string }
  /** A watch broke: see I2. */
  | { readonly kind: 'verify'; readonly version: string };

export class Informer<T extends StoredObject> {
  readonly path: string;
  readonly #options: InformerOptions;
  readonly #objects = new Map<string, T>();
  readonly #changeListeners: OnChange<T>[] = [];
  readonly #listListeners: ((listNumber: number) => void)[] = [];
  readonly #abort = new AbortController();
  readonly #firstList = Promise.withResolvers<undefined>();
  #position: Position = { kind: 'list' };
  #listsStarted = 0;
  #synced = false;
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
    await this.#running;
  }

  /** Whether the collection has been listed once; before, an absent object means nothing. */
  get synced(): boolean {
    return this.#synced;
  }

  whenSynced(): Promise<void> {
    return this.#firstList.promise;
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
      const end = await this.#round(signal);
      if (signal.aborted) return;
      if (end.kind === 'done') continue;
      this.#failures += 1;
      const message = end.kind === 'expired' ? 'the watch is too far behind: listing again' : end.message;
      log[this.#failures < FAILURES_USUAL ? 'debug' : 'warn']({ path: this.path, failures: this.#failures }, message);
      await delay(clock, backoffMs(backoff, this.#failures, Math.random()), signal);
    }
  }

  async #round(signal: AbortSignal): Promise<RoundEnd> {
    const position = this.#position;
    switch (position.kind) {
      case 'list':
        return this.#relist(signal);
      case 'verify':
        return this.#verify(position.version, signal);
      case 'watch': {
        const end = await this.#watch(position.version, signal);
        if (end.kind === 'expired') this.#position = { kind: 'list' };
        if (end.kind === 'broken') this.#position = { kind: 'verify', version: this.#watchedVersion(position.version) };
        return end;
      }
    }
  }

  /** The version up to which events were seen. The position moves with every event of a watch. */
  #watchedVersion(from: string): string {
    return this.#position.kind === 'watch' ? this.#position.version : from;
  }

  async #relist(signal: AbortSignal): Promise<RoundEnd> {
    this.#listsStarted += 1;
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
    const query = { limit: String(objectsMax), ...(next !== undefined && { continue: next }) };
    const { transport, path } = this.#options;
    return transport.request<ObjectList<T>>({ method: 'GET', path, query, timeoutMs: LIST_PAGE_MS, signal });
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
      if (held !== undefined && resourceVersionOf(held) === resourceVersionOf(object)) continue;
      this.#objects.set(key, object);
      changes.push([key, object, resourceVersionOf(object)]);
    }
    this.#position = { kind: 'watch', version };
    this.#synced = true;
    for (const listener of this.#listListeners) listener(listNumber);
    for (const change of changes) this.#tell(...change);
    this.#firstList.resolve(undefined);
  }

  /** Whether the API server's history still reaches as far as ours (I2). */
  async #verify(version: string, signal: AbortSignal): Promise<RoundEnd> {
    const answer = await this.#page(1, undefined, signal);
    if (answer.kind !== 'ok') return endOf(answer);
    const wentBack = isNewer(version, answer.body.metadata.resourceVersion);
    this.#position = wentBack ? { kind: 'list' } : { kind: 'watch', version };
    return { kind: 'done' };
  }

  async #watch(version: string, signal: AbortSignal): Promise<RoundEnd> {
    const { transport, path, watchSeconds = WATCH_SECONDS } = this.#options;
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: version,
      // Spread, or the watches of all replicas, begun together, would end together for ever.
      timeoutSeconds: String(Math.ceil(watchSeconds * (0.75 + Math.random() / 2))),
    };
    const silence = this.#limitSilence(signal);
    const heardMs = this.#heardMs;
    try {
      const answer = await transport.stream(path, query, silence.signal);
      if (answer.kind !== 'ok') return endOf(answer);
      for await (const line of answer.body) {
        const end = this.#takeEvent(JSON.parse(line) as WatchEvent<T>);
        if (end !== undefined) return end;
      }
    } catch (error) {
      const reason = silence.signal.aborted && !signal.aborted ? 'it was silent for too long' : String(error);
      return { kind: 'broken', message: `the watch broke: ${reason}` };
    } finally {
      silence.end();
    }
    // A server that ends every watch at once is asked more and more slowly.
    return this.#heardMs > heardMs ? { kind: 'done' } : { kind: 'broken', message: 'the watch ended without a word' };
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
    this.#failures = 0;
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
        this.#tell(key, object, version);
        return undefined;
      }
      case 'DELETED': {
        const key = keyOf(event.object);
        this.#objects.delete(key);
        this.#tell(key, undefined, version);
        return undefined;
      }
    }
  }

  /** A signal that is aborted with `outer`, or when nothing was heard for too long (I4). One timer, not one per event. */
  #limitSilence(outer: AbortSignal): { readonly signal: AbortSignal; readonly end: () => void } {
    const { clock, silenceMsMax = SILENCE_MS_MAX } = this.#options;
    const startedMs = clock.monotonicMs();
    const abort = new AbortController();
    const onOuter = (): void => abort.abort();
    const look = (): void => {
      const leftMs = Math.max(startedMs, this.#heardMs) + silenceMsMax - clock.monotonicMs();
      if (leftMs <= 0) abort.abort();
      else cancel = clock.setTimer(leftMs, look);
    };
    let cancel = clock.setTimer(silenceMsMax, look);
    outer.addEventListener('abort', onOuter);
    const end = (): void => {
      cancel();
      outer.removeEventListener('abort', onOuter);
    };
    return { signal: abort.signal, end };
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

function endOf(answer: Exclude<ApiAnswer<unknown>, { kind: 'ok' }>): RoundEnd {
  if (answer.kind === 'unanswered') return { kind: 'broken', message: answer.message };
  const { status, message } = answer.error;
  return status === 410
    ? { kind: 'expired' }
    : { kind: 'broken', message: `the API server answered ${status}: ${message}` };
}

/** Who owns which field is of no use here and often the larger half of the object. */
function slim<T extends StoredObject>(object: T): T {
  delete (object.metadata as { managedFields?: unknown }).managedFields;
  return object;
}
