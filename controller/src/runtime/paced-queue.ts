/**
 * A bounded queue whose jobs are done one after the other, with a pause after each: for what may wait, and may be dropped.
 */
import { delay, type Clock } from './clock.ts';

export interface PacedQueueOptions<Job> {
  readonly clock: Clock;
  /** After each job. */
  readonly pauseMs: number;
  /** What waits at most. */
  readonly jobsMax: number;
  /** Does not reject. Aborted, it ends soon. */
  readonly perform: (job: Job, stopping: AbortSignal) => Promise<void>;
  readonly onFull: (job: Job) => void;
}

export class PacedQueue<Job> {
  readonly #options: PacedQueueOptions<Job>;
  readonly #jobs: Job[] = [];
  readonly #stopping = new AbortController();
  #working = false;

  constructor(options: PacedQueueOptions<Job>) {
    this.#options = options;
  }

  /** Fire and forget; nothing is taken once it was stopped. */
  push(job: Job): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#jobs.length >= this.#options.jobsMax) {
      this.#options.onFull(job);
      return;
    }
    this.#jobs.push(job);
    if (!this.#working) void this.#work();
  }

  /** Drops what still waits. */
  stop(): void {
    this.#stopping.abort();
    this.#jobs.length = 0;
  }

  async #work(): Promise<void> {
    const { clock, pauseMs, perform } = this.#options;
    this.#working = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      await perform(job, this.#stopping.signal);
      await delay(clock, pauseMs, this.#stopping.signal);
    }
    this.#working = false;
  }
}
