/**
 * The graceful end: on the first signal everything is stopped in order and within a deadline; a second one ends at once.
 *
 * What is registered first is stopped first: what lets work in, then the work, then what the work needs. A step
 * that throws or hangs does not keep the later ones from running.
 */
import type { Clock } from './clock.ts';

export interface ShutdownOptions {
  readonly clock: Clock;
  /** For all steps together. Shorter than the pod's terminationGracePeriodSeconds, after which there is no say. */
  readonly deadlineMs: number;
  readonly exit: (code: number) => void;
  readonly onStep: (step: string, outcome: 'stopped' | 'late' | 'threw', error?: unknown) => void;
}

/** Stops one part. `leftMs` is what remains of the deadline. */
export type Stop = (leftMs: number) => unknown;

/** 128 + SIGINT: what a shell reports for a process that was interrupted. */
const EXIT_INTERRUPTED = 130;

export class Shutdown {
  readonly #options: ShutdownOptions;
  readonly #steps: { readonly name: string; readonly stop: Stop }[] = [];
  readonly #abort = new AbortController();
  #ending: Promise<void> | undefined;

  constructor(options: ShutdownOptions) {
    this.#options = options;
  }

  /** Aborted as the shutdown begins: for calls that need not be waited for. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  onStop(name: string, stop: Stop): void {
    this.#steps.push({ name, stop });
  }

  /** Listens to SIGTERM and SIGINT of this process. */
  listen(process: NodeJS.Process): void {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => this.request());
  }

  /** Begins the shutdown and ends the process with `code`; asked for again, ends it at once. */
  request(code = 0): void {
    if (this.#ending !== undefined) {
      this.#options.exit(EXIT_INTERRUPTED);
      return;
    }
    this.#ending = this.#stopAll().then(() => this.#options.exit(code));
  }

  async #stopAll(): Promise<void> {
    const { clock, deadlineMs } = this.#options;
    const endMs = clock.monotonicMs() + deadlineMs;
    this.#abort.abort(new Error('the process is shutting down'));
    for (const step of this.#steps) await this.#stop(step.name, step.stop, Math.max(0, endMs - clock.monotonicMs()));
  }

  async #stop(name: string, stop: Stop, leftMs: number): Promise<void> {
    const { clock, onStep } = this.#options;
    const { promise: late, resolve } = Promise.withResolvers<'late'>();
    const cancel = clock.setTimer(leftMs, () => resolve('late'));
    const stopped = async (): Promise<'stopped'> => {
      await stop(leftMs);
      return 'stopped';
    };
    try {
      onStep(name, await Promise.race([stopped(), late]));
    } catch (error) {
      onStep(name, 'threw', error);
    } finally {
      cancel();
    }
  }
}
