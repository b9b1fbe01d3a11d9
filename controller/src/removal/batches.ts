/**
 * Removes a minute's transactions together or one by one, and what was left of long ago, at the pace that all of it shares.
 *
 * The API server, not this process, is what gets tired: what is asked of it at once, and what a collection may take, is said here.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { dueMs, mayGo, startOf } from './due.ts';
import { Pace } from './pace.ts';
import type { Archive, RemoveResult, Resting, RestingTransactions, Trouble } from './ports.ts';
import { ReadAhead } from './read-ahead.ts';
import { Refusals } from './refusals.ts';

export interface BatchesOptions {
  readonly resting: RestingTransactions;
  /** Without one, what is removed is gone. */
  readonly archive?: Archive;
  /** Whether this replica is the one that removes. */
  readonly isOurs: () => boolean;
  readonly perSecond: number;
  /** Time that passes. */
  readonly clock: Clock;
  /** What time it is for the API server. */
  readonly apiClock: { now(): number };
  readonly log: Log;
  readonly onRemoved?: (result: RemoveResult['kind'] | 'unarchivable', transactions: number) => void;
  /** The archive cannot take this one: it stays. */
  readonly onUnarchivable?: (transaction: OrderTransaction, reason: string) => void;
}

/** `stopped` when the removal is another's by now, or the process ends. `refused`: in one namespace at least; the others are done. */
export type Ended =
  | { readonly kind: 'done' }
  | { readonly kind: 'stopped' }
  /** `hangs`: it was long until that was told, and nothing went. */
  | { readonly kind: 'refused'; readonly trouble: Trouble; readonly hangs: boolean }
  | { readonly kind: 'failed'; readonly trouble: Trouble };
type Minute = Extract<Resting, { kind: 'minute' }>;

/** What is read, from the page of that token on; without one, from the first. */
interface List {
  readonly which: Resting;
  readonly isWanted: (transaction: OrderTransaction) => boolean;
  readonly firstPlace: string | undefined;
}

/** One that may go, with the tokens of the page that it was on and of the page after. */
interface Going {
  readonly transaction: OrderTransaction;
  readonly place: string | undefined;
  readonly placeAfter: string | undefined;
}

export const DONE: Ended = { kind: 'done' };

/** What one request takes, an archive's batch too; a page of large payloads stays below 10 MB. */
const PAGE_TRANSACTIONS_MAX = 100;
/**
 * One by one, under way at once, of each minute: beside 50 lanes of orders on two cores each took 0.26 s, so that as many went as ended.
 * Not all of the connections to the API server, which status writes need.
 */
const LANES = 25;
/** What was left of long ago can wait: the busier the API server, the less it is asked for that. */
const LANES_OF_ALL = 2;
/**
 * A collection costs half of what removing one by one does, so it may take a while. But unless it was told otherwise
 * (--delete-collection-workers) an API server removes one after the other: 10 to 20 a second while it is busy, and 100 end.
 */
const COLLECTION_MS_MAX = 500;
const COLLECTION_MS_MAX_EACH = 20;
/** After one that took longer: a single one may have met something rare, and where all are slow this many delay a minute little. */
const COLLECTION_OF_FEW = 20;

/** Where so many are refused, one after the other, those behind them would be as well. */
const NO_RIGHT_AFTER = 100;
/** Or where that took so long, all requests together. */
const NO_RIGHT_AFTER_MS = 30_000;
/** A refusal that takes longer hangs: an API server that is busy takes some tenths of a second. */
const REFUSAL_MS_MAX = 2_000;
/** A collection may have removed many before one was refused. */
const REFUSED_COLLECTION_MS_MAX = 5_000;
/** Of one page: an API server that has it expire again each time has other troubles. */
const EXPIRED_MAX = 3;
const EXPIRED = 'the list of ended transactions expired before its next page could be read, several times';

export class Batches {
  readonly #options: BatchesOptions;
  readonly #pace: Pace;
  readonly #collectionMax: number;
  /** The last collection took too long; only one of few says otherwise. */
  #isSlow = false;
  readonly #refusals = new Refusals();

  constructor(options: BatchesOptions) {
    this.#options = options;
    this.#pace = new Pace(options.clock, options.perSecond);
    this.#collectionMax = Math.max(1, Math.min(PAGE_TRANSACTIONS_MAX, Math.floor(options.perSecond / 2)));
  }

  /** All of a minute, in every namespace. @param sawDue called with the moment from which some may go that are still there */
  minute(expires: string, sawDue: (ms: number) => void, signal: AbortSignal): Promise<Ended> {
    const which: Minute = { kind: 'minute', expires };
    return this.#inEach('minute', (namespace) =>
      this.#options.archive === undefined
        ? this.#together(namespace, which, sawDue, signal)
        : this.#oneByOne(namespace, which, () => true, sawDue, signal),
    );
  }

  /** All whose minute is before that one, in every namespace; it may move on meanwhile. */
  before(limitMs: () => number, sawDue: (ms: number) => void, signal: AbortSignal): Promise<Ended> {
    const isBefore = ({ status }: OrderTransaction): boolean => startOf(status?.expires ?? '') < limitMs();
    return this.#inEach('all', (namespace) => this.#oneByOne(namespace, { kind: 'all' }, isBefore, sawDue, signal));
  }

  /** Why nothing goes in some namespace; undefined where something went wherever it was asked for, as far as is known. */
  get refusal(): Trouble | undefined {
    return this.#refusals.trouble;
  }

  /** The removal is another's by now. */
  forget(): void {
    this.#refusals.forget();
  }

  /** A namespace in which nothing may be removed stops no other; an API server or archive that is away stops all. */
  async #inEach(kind: Resting['kind'], act: (namespace: string) => Promise<Ended>): Promise<Ended> {
    let all: Ended = DONE;
    for (const namespace of this.#options.resting.namespaces) {
      const ended = await this.#in(namespace, kind, act);
      if (ended.kind === 'refused') all = ended;
      else if (ended.kind !== 'done') return ended;
    }
    return all;
  }

  async #in(namespace: string, kind: Resting['kind'], act: (namespace: string) => Promise<Ended>): Promise<Ended> {
    const { clock } = this.#options;
    const begunMs = clock.monotonicMs();
    const trouble = kind === 'minute' ? this.#refusals.passedOver(namespace, begunMs) : undefined;
    if (trouble !== undefined) return { kind: 'refused', trouble, hangs: true };
    const ended = await act(namespace);
    if (ended.kind === 'refused')
      this.#refusals.refused(namespace, kind, ended.trouble, ended.hangs, clock.monotonicMs());
    else if (ended.kind === 'done' && kind === 'all') this.#refusals.swept(namespace, begunMs);
    return ended;
  }

  /** Where one of them is refused they are taken one by one, so that it stops no other; and where a collection is too slow. */
  async #together(namespace: string, which: Minute, sawDue: (ms: number) => void, signal: AbortSignal): Promise<Ended> {
    const { clock, resting, onRemoved } = this.#options;
    let gone = 0;
    const goOnOneByOne = () => this.#oneByOne(namespace, which, () => true, sawDue, signal, gone);
    for (;;) {
      const most = Math.min(this.#collectionMax, this.#isSlow ? COLLECTION_OF_FEW : PAGE_TRANSACTIONS_MAX);
      await this.#pace.turn(signal, most);
      if (this.#isStopped(signal)) return { kind: 'stopped' };
      const askedMs = clock.monotonicMs();
      const result = await resting.removeMinute(namespace, which.expires, most);
      const tookMs = clock.monotonicMs() - askedMs;
      const isSlow = tookMs > COLLECTION_MS_MAX + most * COLLECTION_MS_MAX_EACH;
      switch (result.kind) {
        case 'unknown':
          sawDue(dueMs(which.expires));
          if (!isSlow) return { kind: 'failed', trouble: { of: 'api', message: result.message } };
          // One that takes too long to be answered at all is too slow, too.
          break;
        case 'refused':
          if (gone === 0 && tookMs > REFUSED_COLLECTION_MS_MAX) {
            sawDue(dueMs(which.expires));
            return { kind: 'refused', trouble: { of: 'api', message: result.message }, hangs: true };
          }
          return goOnOneByOne();
        case 'removed':
          this.#pace.giveBack(most - result.removed);
          gone += result.removed;
          if (result.removed > 0) {
            this.#refusals.went(namespace, which.kind);
            onRemoved?.('removed', result.removed);
            sawDue(dueMs(which.expires));
          }
          if (!result.more || result.removed === 0) return DONE;
      }
      if (isSlow) {
        this.#isSlow = true;
        return goOnOneByOne();
      }
      // One of many that was asked for before another was too slow says nothing against that.
      if (most <= COLLECTION_OF_FEW) this.#isSlow = false;
    }
  }

  /**
   * One that is refused stops no other; where many are, one after the other, those behind them would be as well. An API server that does
   * not answer, or an archive that is away, stops all.
   */
  async #oneByOne(
    namespace: string,
    which: Resting,
    isWanted: (transaction: OrderTransaction) => boolean,
    sawDue: (ms: number) => void,
    signal: AbortSignal,
    goneBefore = 0,
  ): Promise<Ended> {
    const { clock, resting, onRemoved } = this.#options;
    const firstPlace = which.kind === 'all' ? this.#refusals.takePlaceInAll(namespace) : undefined;
    const going = new ReadAhead(this.#kept(namespace, { which, isWanted, firstPlace }, sawDue, signal));
    let [gone, inARow, inARowMs, longestMs] = [goneBefore, 0, 0, 0];
    let [refused, unknown]: (string | undefined)[] = [];
    let left: Going | undefined;
    const isHopeless = (): boolean => inARow >= NO_RIGHT_AFTER || inARowMs > NO_RIGHT_AFTER_MS;
    const lane = async (): Promise<void> => {
      for (;;) {
        const next = await going.take();
        if (next === undefined) return;
        await this.#pace.turn(signal);
        if (isHopeless()) left ??= next;
        if (signal.aborted || unknown !== undefined || isHopeless()) return;
        const askedMs = clock.monotonicMs();
        const result = await resting.remove(next.transaction);
        onRemoved?.(result.kind, 1);
        if (result.kind === 'unknown') unknown = result.message;
        else if (result.kind === 'refused') {
          const tookMs = clock.monotonicMs() - askedMs;
          [refused, inARow, inARowMs] = [result.message, inARow + 1, inARowMs + tookMs];
          longestMs = Math.max(longestMs, tookMs);
        } else {
          [gone, inARow, inARowMs] = [gone + 1, 0, 0];
          if (result.kind === 'removed') this.#refusals.went(namespace, which.kind);
        }
      }
    };
    await Promise.all(Array.from({ length: which.kind === 'all' ? LANES_OF_ALL : LANES }, lane));
    const ended = await going.close();
    if (signal.aborted) return { kind: 'stopped' };
    if (unknown !== undefined) return { kind: 'failed', trouble: { of: 'api', message: unknown } };
    if (ended !== undefined && ended.kind !== 'done') return ended;
    // Not where it began: those that are refused there would hide all that follow for ever.
    if (which.kind === 'all' && left !== undefined)
      this.#refusals.keepPlaceInAll(namespace, left.place === firstPlace ? left.placeAfter : left.place);
    // Those in front of where it began were refused when they were tried last.
    if (firstPlace !== undefined && !isHopeless()) return this.#oneByOne(namespace, which, isWanted, sawDue, signal);
    if (refused === undefined || (gone > 0 && !isHopeless())) return DONE;
    const hangs = gone === 0 && longestMs > REFUSAL_MS_MAX;
    return { kind: 'refused', trouble: { of: 'api', message: refused }, hangs };
  }

  /** Pages of those that may go, each once the archive keeps it. */
  async *#kept(
    namespace: string,
    list: List,
    sawDue: (ms: number) => void,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Going[], Ended> {
    const { resting, apiClock, archive } = this.#options;
    let place = list.firstPlace;
    let expired = 0;
    for (;;) {
      if (this.#isStopped(signal)) return { kind: 'stopped' };
      const found = await resting.page(namespace, list.which, PAGE_TRANSACTIONS_MAX, place);
      switch (found.kind) {
        case 'unknown':
          return { kind: 'failed', trouble: { of: 'api', message: found.message } };
        case 'expired':
          place = found.next;
          if ((expired += 1) > EXPIRED_MAX) return { kind: 'failed', trouble: { of: 'api', message: EXPIRED } };
          continue;
        // What rests there goes once it may be read, with the next look at all.
        case 'forbidden':
          return DONE;
        case 'page': {
          expired = 0;
          const due = found.transactions.filter((each) => mayGo(each, apiClock.now()) && list.isWanted(each));
          for (const { status } of due) sawDue(dueMs(status?.expires ?? ''));
          const kept = due.length > 0 ? await archive?.keep(due) : undefined;
          if (kept?.kind === 'unavailable')
            return { kind: 'failed', trouble: { of: 'archive', message: kept.message } };
          const placeAfter = found.next;
          const going = due.filter((each) => !this.#isUnarchivable(each, kept?.refused.get(each)));
          yield going.map((transaction) => ({ transaction, place, placeAfter }));
          if (placeAfter === undefined) return DONE;
          place = placeAfter;
        }
      }
    }
  }

  #isStopped(signal: AbortSignal): boolean {
    return signal.aborted || !this.#options.isOurs();
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
}
