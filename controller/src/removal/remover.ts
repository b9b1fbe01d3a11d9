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
 *      go at once, and none is waited for. What is older, whoever left it, goes beside them: whoever begins, and once an hour, looks
 *      through all that rest, which takes its time on a busy API server and delays no minute.
 *  V6  What fails is begun anew, later and later, and said once: to the log, and to every flow (ADR 36).
 */
import { backoffMs, type BackoffPolicy } from '../runtime/backoff.ts';
import { delay } from '../runtime/clock.ts';
import { Batches, DONE, type BatchesOptions, type Ended } from './batches.ts';
import { MINUTE_MS, minuteOf } from './due.ts';
import type { RemovalReport, Trouble } from './ports.ts';

export interface RemoverOptions extends BatchesOptions {
  /** Called when it begins, becomes another, and with undefined when it has ended. */
  readonly onTrouble?: (trouble: Trouble | undefined) => void;
  readonly report?: RemovalReport;
  readonly lookEveryMs?: number;
  readonly sweepEveryMs?: number;
}

/** Where among the shards the removal belongs. */
export const REMOVAL = 'removal';

/** Where several are due removal is behind: a larger share of a busy API server is asked for. */
const MINUTES_AT_ONCE_BEHIND = 2;
/** Nothing is lost by removing a minute this much later; each look costs the API server a walk over its cache. */
const LOOK_EVERY_MS = 10_000;
const SWEEP_EVERY_MS = 3_600_000;
/** A status write that was under way when its minute ended is stored within seconds. */
const LATE_MINUTES = 3;
/** Whoever takes over goes on with these as minutes: with what became due while nobody removed. */
const TAKEN_OVER_MINUTES = 5;
/** By then the minutes have let go of what was refused, so that the sweep finds it. It lists everything. */
const REFUSED_AGAIN_MS = 5 * MINUTE_MS;
const BACKOFF: BackoffPolicy = { initialMs: 1_000, maxMs: 30_000, factor: 2, jitter: 0.5 };

/** Two go on side by side: minute after minute, and all that rest. */
type Task = 'minutes' | 'sweep';

export class Remover {
  readonly #options: RemoverOptions;
  readonly #batches: Batches;
  readonly #stopping = new AbortController();
  /** The first minute that was not done with after it had passed; undefined while the removal is another's. */
  #nextMs: number | undefined;
  /** When all that rest are looked through next. */
  #sweepAtMs = -Infinity;
  readonly #last: Record<Task, Ended> = { minutes: DONE, sweep: DONE };
  /** From when the oldest that was seen and not removed might have gone. */
  readonly #oldestDueMs: Partial<Record<Task, number>> = {};
  readonly #troubles: Partial<Record<Task, Trouble>> = {};
  #trouble: Trouble | undefined;
  #running: Promise<unknown> | undefined;

  constructor(options: RemoverOptions) {
    this.#options = options;
    this.#batches = new Batches(options);
  }

  start(): void {
    const { signal } = this.#stopping;
    this.#running ??= Promise.all([this.#repeat('minutes', signal), this.#repeat('sweep', signal)]);
  }

  /** What was begun is ended: a removal whose answer is not waited for may still happen. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** For how long the oldest known might have been gone; 0 where none is waiting, or another replica removes. */
  overdueMs(): number {
    const { minutes = Infinity, sweep = Infinity } = this.#oldestDueMs;
    const oldestMs = Math.min(minutes, sweep);
    return oldestMs === Infinity ? 0 : Math.max(0, this.#options.apiClock.now() - oldestMs);
  }

  async #repeat(task: Task, signal: AbortSignal): Promise<void> {
    const { clock, isOurs, report, lookEveryMs = LOOK_EVERY_MS } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const ended = isOurs() ? await this.#look(task, signal) : this.#leave(task);
      failures = ended.kind === 'failed' ? failures + 1 : 0;
      this.#tell(task, ended);
      if (task === 'minutes' && isOurs() && ended.kind !== 'stopped') await report?.looked(this.#trouble, signal);
      if (task === 'minutes' && ended.kind === 'done' && this.#isMinuteDue()) continue;
      await delay(clock, failures > 0 ? backoffMs(BACKOFF, failures, Math.random()) : lookEveryMs, signal);
    }
  }

  /** Another's by now. */
  #leave(task: Task): Ended {
    if (task === 'minutes') this.#nextMs = undefined;
    this.#sweepAtMs = -Infinity;
    this.#oldestDueMs[task] = undefined;
    this.#batches.forget();
    return (this.#last[task] = DONE);
  }

  async #look(task: Task, signal: AbortSignal): Promise<Ended> {
    const ended = task === 'minutes' ? await this.#removeMinutes(signal) : await this.#sweep(signal);
    if (ended.kind === 'done') this.#oldestDueMs[task] = undefined;
    return (this.#last[task] = ended);
  }

  /** From the first that was not done with to the one that goes on, and those before it again. */
  async #removeMinutes(signal: AbortSignal): Promise<Ended> {
    const currentMs = this.#currentMinuteMs();
    // A clock that was set back has minutes that pass once more.
    const firstMs = Math.min(currentMs, this.#nextMs ?? currentMs - TAKEN_OVER_MINUTES * MINUTE_MS);
    this.#nextMs = firstMs;
    // Looked at a second time within the same minute, they would be as they were left.
    if (currentMs === firstMs) return this.#last.minutes;
    const either = new AbortController();
    const stop = (): void => either.abort();
    const [ends, undone]: [Ended[], number[]] = [[], []];
    let nextMs = firstMs - LATE_MINUTES * MINUTE_MS;
    const oneAfterTheOther = async (): Promise<void> => {
      while (nextMs < currentMs && !either.signal.aborted) {
        const minuteMs = nextMs;
        nextMs += MINUTE_MS;
        const ended = await this.#batches.minute(
          minuteOf(minuteMs),
          (ms) => this.#sawDue('minutes', ms),
          either.signal,
        );
        ends.push(ended);
        if (ended.kind === 'done' || ended.kind === 'refused') continue;
        undone.push(minuteMs);
        stop();
      }
    };
    const isBehind = currentMs - firstMs > MINUTE_MS;
    signal.addEventListener('abort', stop);
    await Promise.all(Array.from({ length: isBehind ? MINUTES_AT_ONCE_BEHIND : 1 }, oneAfterTheOther));
    signal.removeEventListener('abort', stop);
    this.#nextMs = Math.max(firstMs, Math.min(nextMs, ...undone));
    // What was refused stays behind, and the sweep comes back to it until there is the right.
    if (ends.some(({ kind }) => kind === 'refused')) this.#sweepSoon();
    const [worst = DONE] = (['failed', 'stopped', 'refused'] as const).flatMap((kind) =>
      ends.filter((each) => each.kind === kind),
    );
    return worst;
  }

  /** What is older than the minutes that are looked at. */
  async #sweep(signal: AbortSignal): Promise<Ended> {
    const { clock, sweepEveryMs = SWEEP_EVERY_MS } = this.#options;
    if (this.#nextMs === undefined || clock.monotonicMs() < this.#sweepAtMs) return this.#last.sweep;
    this.#sweepAtMs = clock.monotonicMs() + sweepEveryMs;
    const limitMs = () => (this.#nextMs ?? -Infinity) - LATE_MINUTES * MINUTE_MS;
    const ended = await this.#batches.before(limitMs, (ms) => this.#sawDue('sweep', ms), signal);
    if (ended.kind === 'refused' || (ended.kind === 'done' && this.#batches.refusal)) this.#sweepSoon();
    else if (ended.kind !== 'done') this.#sweepAtMs = -Infinity;
    return ended;
  }

  #sweepSoon(): void {
    this.#sweepAtMs = Math.min(this.#sweepAtMs, this.#options.clock.monotonicMs() + REFUSED_AGAIN_MS);
  }

  #currentMinuteMs(): number {
    const nowMs = this.#options.apiClock.now();
    return nowMs - (nowMs % MINUTE_MS);
  }

  #isMinuteDue(): boolean {
    return this.#nextMs !== undefined && this.#currentMinuteMs() > this.#nextMs;
  }

  #sawDue(task: Task, ms: number): void {
    this.#oldestDueMs[task] = Math.min(this.#oldestDueMs[task] ?? Infinity, ms);
  }

  #tell(task: Task, ended: Ended): void {
    if (ended.kind === 'stopped') return;
    this.#troubles[task] = ended.kind === 'failed' ? ended.trouble : undefined;
    const before = this.#trouble;
    const trouble = this.#troubles.minutes ?? this.#troubles.sweep ?? this.#batches.refusal;
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
