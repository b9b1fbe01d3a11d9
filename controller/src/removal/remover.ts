/**
 * Removes what has ended, once its minute has passed, and has it archived before.
 *
 *  V1  Only what is through goes: what has a `status.expires`, and that has passed. One by one, it is the copy that was seen to be
 *      so, by uid and resourceVersion; a minute at once, it is what the API server finds with that `expires` and its guard
 *      lets go, which is nothing unfinished (ADR 31).
 *  V2  Where there is an archive, a transaction goes only after the archive has said that it keeps it, and only that copy. Ended in
 *      between by kill -9, both are done again: keeping twice changes nothing.
 *  V3  One replica does it, the owner of the shard that the name REMOVAL falls into. Two at once are harmless.
 *  V4  At most so many a second, evenly: after an outage of hours what has piled up goes at the same pace.
 *  V5  Minutes are looked at one by one, because the API server's selectors know equality only. `expires` is never written with a
 *      minute that has long passed (transaction/finish.ts), so that a minute is done with soon after it. Where several have passed, two
 *      go at once. Whoever begins, and once an hour, looks through all that rest instead: whatever was left goes then.
 *  V6  What fails is begun anew, later and later, and said once: to the log, and to every flow (ADR 36).
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { backoffMs, type BackoffPolicy } from '../runtime/backoff.ts';
import { delay, type Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { dueMs, mayGo, MINUTE_MS, minuteOf } from './due.ts';
import { Pace } from './pace.ts';
import type { Archive, RemovalReport, RemoveResult, Resting, RestingTransactions, Trouble } from './ports.ts';

export interface RemoverOptions {
  readonly resting: RestingTransactions;
  /** Without one, what is removed is gone. */
  readonly archive?: Archive;
  /** Whether this replica is the one that removes (V3). */
  readonly isOurs: () => boolean;
  readonly perSecond: number;
  /** Time that passes. */
  readonly clock: Clock;
  /** What time it is for the API server. */
  readonly apiClock: { now(): number };
  readonly log: Log;
  readonly onRemoved?: (result: RemoveResult['kind'] | 'unarchivable', transactions: number) => void;
  /** Called when it begins, becomes another, and with undefined when it has ended. */
  readonly onTrouble?: (trouble: Trouble | undefined) => void;
  readonly report?: RemovalReport;
  /** The archive cannot take this one: it stays. */
  readonly onUnarchivable?: (transaction: OrderTransaction, reason: string) => void;
  readonly lookEveryMs?: number;
  readonly sweepEveryMs?: number;
}

/** Where among the shards the removal belongs. */
export const REMOVAL = 'removal';

/** An archive's batch; a page of large payloads stays below 10 MB. */
const PAGE_TRANSACTIONS_MAX = 100;
/** Where several are due removal is behind: a larger share of a busy API server is asked for. */
const MINUTES_AT_ONCE_BEHIND = 2;
/**
 * One by one, under way at once, of each minute. With 50 lanes of orders on two cores, 50 removed 85 a second while 100 ended. Not all
 * of the connections to the API server, which status writes need.
 */
const LANES = 25;
/** What was left of long ago can wait: the busier the API server, the less it is asked for that. */
const LANES_OF_ALL = 4;
/**
 * A collection costs half of what removing one by one does, so it may take longer than its share of the pace. But unless it was told
 * otherwise (--delete-collection-workers) an API server removes one after the other: 10 to 20 a second while it is busy, and 100 end.
 */
const COLLECTION_TIMES_PACE_MAX = 5;
/** After one that took longer: a single one may have met something rare, and where all are slow this many delay a minute little. */
const COLLECTION_OF_FEW = 20;
/** Nothing is lost by removing a minute this much later; each look costs the API server a walk over its cache. */
const LOOK_EVERY_MS = 10_000;
const SWEEP_EVERY_MS = 3_600_000;
/** A status write that was under way when its minute ended is stored within seconds. */
const LATE_MINUTES = 3;
const BACKOFF: BackoffPolicy = { initialMs: 1_000, maxMs: 30_000, factor: 2, jitter: 0.5 };

/** How one look ended: `stopped` when the removal is another's by now, or the process ends. */
type Ended =
  { readonly kind: 'done' } | { readonly kind: 'stopped' } | { readonly kind: 'failed'; readonly trouble: Trouble };
type Minute = Extract<Resting, { kind: 'minute' }>;
const DONE: Ended = { kind: 'done' };

export class Remover {
  readonly #options: RemoverOptions;
  readonly #pace: Pace;
  readonly #stopping = new AbortController();
  /** The first minute that was not looked at after it had passed; undefined until all that rest were looked through. */
  #nextMs: number | undefined;
  #sweptMs = -Infinity;
  #collectionMax = PAGE_TRANSACTIONS_MAX;
  /** From when the oldest that was seen and not removed might have gone. */
  #oldestDueMs: number | undefined;
  #trouble: Trouble | undefined;
  #running: Promise<void> | undefined;

  constructor(options: RemoverOptions) {
    this.#options = options;
    this.#pace = new Pace(options.clock, options.perSecond);
  }

  start(): void {
    this.#running ??= this.#run(this.#stopping.signal);
  }

  /** What was begun is ended: a removal whose answer is not waited for may still happen. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** For how long the oldest known might have been gone; 0 where none is waiting, or another replica removes. */
  overdueMs(): number {
    return this.#oldestDueMs === undefined ? 0 : Math.max(0, this.#options.apiClock.now() - this.#oldestDueMs);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, isOurs, report, lookEveryMs = LOOK_EVERY_MS } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const ended = isOurs() ? await this.#look(signal) : this.#leave();
      failures = ended.kind === 'failed' ? failures + 1 : 0;
      const trouble = ended.kind === 'failed' ? ended.trouble : undefined;
      this.#tell(trouble);
      if (isOurs() && ended.kind !== 'stopped') await report?.looked(trouble, signal);
      if (ended.kind === 'done' && this.#nextMs !== undefined && this.#currentMinuteMs() > this.#nextMs) continue;
      await delay(clock, failures > 0 ? backoffMs(BACKOFF, failures, Math.random()) : lookEveryMs, signal);
    }
  }

  /** Another's by now. */
  #leave(): Ended {
    this.#nextMs = this.#oldestDueMs = undefined;
    return DONE;
  }

  async #look(signal: AbortSignal): Promise<Ended> {
    const { clock, sweepEveryMs = SWEEP_EVERY_MS } = this.#options;
    const current = this.#currentMinuteMs();
    if (this.#nextMs === undefined || clock.monotonicMs() - this.#sweptMs > sweepEveryMs) {
      const ended = await this.#removeAll({ kind: 'all' }, signal);
      if (ended.kind !== 'done') return ended;
      this.#sweptMs = clock.monotonicMs();
      this.#nextMs = current;
      this.#oldestDueMs = undefined;
      return DONE;
    }
    // Looked at a second time within the same minute, they would be empty still.
    if (current === this.#nextMs) return DONE;
    const ended = await this.#removeMinutes(this.#nextMs, current, signal);
    if (ended.kind !== 'done') return ended;
    this.#nextMs = current;
    this.#oldestDueMs = undefined;
    return DONE;
  }

  #currentMinuteMs(): number {
    const nowMs = this.#options.apiClock.now();
    return nowMs - (nowMs % MINUTE_MS);
  }

  /** From the first that was not looked at to the one that goes on, and those before it again. */
  async #removeMinutes(firstMs: number, currentMs: number, signal: AbortSignal): Promise<Ended> {
    let nextMs = firstMs - LATE_MINUTES * MINUTE_MS;
    const oneAfterTheOther = async (): Promise<Ended> => {
      while (nextMs < currentMs) {
        const which: Minute = { kind: 'minute', expires: minuteOf(nextMs) };
        nextMs += MINUTE_MS;
        const ended = await this.#removeAll(which, signal);
        if (ended.kind === 'done') continue;
        nextMs = currentMs;
        return ended;
      }
      return DONE;
    };
    const isBehind = currentMs - firstMs > MINUTE_MS;
    const atOnce = Array.from({ length: isBehind ? MINUTES_AT_ONCE_BEHIND : 1 }, oneAfterTheOther);
    return (await Promise.all(atOnce)).find(({ kind }) => kind !== 'done') ?? DONE;
  }

  async #removeAll(which: Resting, signal: AbortSignal): Promise<Ended> {
    const { archive, resting } = this.#options;
    for (const namespace of resting.namespaces) {
      const ended =
        which.kind === 'minute' && archive === undefined
          ? await this.#removeMinute(namespace, which, signal)
          : await this.#removeIn(namespace, which, signal);
      if (ended.kind !== 'done') return ended;
    }
    return DONE;
  }

  /** Where one of them is refused they are taken one by one, so that it stops no other; and where a collection is too slow. */
  async #removeMinute(namespace: string, which: Minute, signal: AbortSignal): Promise<Ended> {
    const { clock, resting, isOurs, onRemoved } = this.#options;
    while (!signal.aborted && isOurs()) {
      await this.#pace.turn(signal);
      const askedMs = clock.monotonicMs();
      const most = this.#collectionMax;
      const result = await resting.removeMinute(namespace, which.expires, most);
      const isSlow =
        clock.monotonicMs() - askedMs > (COLLECTION_TIMES_PACE_MAX * most * 1000) / this.#options.perSecond;
      switch (result.kind) {
        case 'unknown':
          if (!isSlow) return { kind: 'failed', trouble: { of: 'api', message: result.message } };
          // One that takes too long to be answered at all is too slow, too.
          break;
        case 'refused':
          return this.#removeIn(namespace, which, signal);
        case 'removed':
          if (result.removed > 0) {
            onRemoved?.('removed', result.removed);
            this.#pace.more(result.removed - 1);
            this.#sawDue(dueMs(which.expires));
          }
          if (!result.more || result.removed === 0) return DONE;
      }
      this.#collectionMax = isSlow ? COLLECTION_OF_FEW : PAGE_TRANSACTIONS_MAX;
      if (isSlow) return this.#removeIn(namespace, which, signal);
    }
    return { kind: 'stopped' };
  }

  async #removeIn(namespace: string, which: Resting, signal: AbortSignal): Promise<Ended> {
    const { resting, isOurs } = this.#options;
    let next: string | undefined;
    do {
      if (signal.aborted || !isOurs()) return { kind: 'stopped' };
      const found = await resting.page(namespace, which, PAGE_TRANSACTIONS_MAX, next);
      switch (found.kind) {
        case 'unknown':
          return { kind: 'failed', trouble: { of: 'api', message: found.message } };
        case 'expired':
          next = undefined;
          continue;
        // It stops no other namespace. What rests there goes once it may be read, with the next look at all (V5).
        case 'forbidden':
          return DONE;
        case 'page': {
          const ended = await this.#removePage(found.transactions, which.kind === 'all' ? LANES_OF_ALL : LANES, signal);
          if (ended.kind !== 'done') return ended;
          next = found.next;
        }
      }
      if (next === undefined) return DONE;
    } while (!signal.aborted);
    return { kind: 'stopped' };
  }

  async #removePage(page: readonly OrderTransaction[], lanes: number, signal: AbortSignal): Promise<Ended> {
    const { apiClock, archive } = this.#options;
    const due = page.filter((transaction) => mayGo(transaction, apiClock.now()));
    if (due.length === 0) return DONE;
    for (const { status } of due) this.#sawDue(dueMs(status?.expires ?? ''));
    const kept = archive && (await archive.keep(due));
    if (kept?.kind === 'unavailable') return { kind: 'failed', trouble: { of: 'archive', message: kept.message } };
    const going = due.filter((transaction) => !this.#isUnarchivable(transaction, kept?.refused.get(transaction)));
    return this.#removeEach(going, lanes, signal);
  }

  #sawDue(ms: number): void {
    this.#oldestDueMs = Math.min(this.#oldestDueMs ?? Infinity, ms);
  }

  #isUnarchivable(transaction: OrderTransaction, reason: string | undefined): boolean {
    if (reason === undefined) return false;
    const { log, onRemoved, onUnarchivable } = this.#options;
    const { metadata } = transaction;
    onRemoved?.('unarchivable', 1);
    onUnarchivable?.(transaction, reason);
    log.error(
      { transaction: `${metadata.namespace}/${metadata.name}`, reason },
      'the archive cannot take it: it stays',
    );
    return true;
  }

  async #removeEach(going: readonly OrderTransaction[], lanes: number, signal: AbortSignal): Promise<Ended> {
    const { resting, onRemoved } = this.#options;
    const left = [...going].reverse();
    const failed: string[] = [];
    const refused: string[] = [];
    const lane = async (): Promise<void> => {
      for (let next = left.pop(); next !== undefined && failed.length === 0; next = left.pop()) {
        await this.#pace.turn(signal);
        if (signal.aborted) return;
        const result = await resting.remove(next);
        onRemoved?.(result.kind, 1);
        if (result.kind === 'refused') refused.push(result.message);
        if (result.kind === 'unknown') failed.push(result.message);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    if (signal.aborted) return { kind: 'stopped' };
    // One that is refused stops no other. All of them are refused where the right is missing.
    const [message] = failed.length > 0 ? failed : refused.length === going.length ? refused : [];
    return message === undefined ? DONE : { kind: 'failed', trouble: { of: 'api', message } };
  }

  #tell(trouble: Trouble | undefined): void {
    const before = this.#trouble;
    if (before?.of === trouble?.of && before?.message === trouble?.message) return;
    const { log, onTrouble } = this.#options;
    this.#trouble = trouble;
    onTrouble?.(trouble);
    if (trouble === undefined) log.info({}, 'ended transactions are removed again');
    else {
      const sentence =
        trouble.of === 'archive'
          ? 'the archive does not work: ended transactions stay until it does'
          : 'ended transactions could not be removed: they stay until they can';
      log.warn({ message: trouble.message }, sentence);
    }
  }
}
