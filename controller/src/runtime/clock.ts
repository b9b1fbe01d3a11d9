/**
 * Time, as an argument.
 *
 * Everything here that waits or measures is given a Clock, so that its tests move time by hand and never sleep.
 */

/** Takes a timer back; harmless once it has fired. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds since the epoch. It may jump: for what is stored or shown, never for how long something took. */
  now(): number;
  /** Milliseconds since some fixed moment; never goes back and never jumps. */
  monotonicMs(): number;
  /** Calls `fire` once, after at least `delayMs`. A waiting timer does not keep the process alive. */
  setTimer(delayMs: number, fire: () => void): Cancel;
}

/** Node treats a longer delay as 1 ms; 24.8 days. */
const NODE_TIMER_DELAY_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, fire) {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(Math.max(0, leftMs), NODE_TIMER_DELAY_MS_MAX);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : fire()), stepMs);
      timer.unref();
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once when `signal` is aborted; never rejects. */
export function delay(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.setTimer(delayMs, end);
    signal.addEventListener('abort', end);
  });
}
