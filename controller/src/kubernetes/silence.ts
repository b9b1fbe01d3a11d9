/**
 * Cuts a watch that looks alive and says nothing.
 */
import type { Clock } from '../runtime/clock.ts';

export interface SilenceOptions {
  readonly clock: Clock;
  readonly silenceMsMax: number;
  /** When something was heard last, on the monotonic clock. */
  readonly heardMs: () => number;
  readonly outer: AbortSignal;
}

export interface SilenceLimit {
  readonly signal: AbortSignal;
  /** Ends the limit, and with its signal a watch that nobody has read to its end. */
  readonly end: () => void;
}

/** A signal that is aborted with `outer`, or when nothing was heard for too long. One timer, not one per event. */
export function limitSilence({ clock, silenceMsMax, heardMs, outer }: SilenceOptions): SilenceLimit {
  const startedMs = clock.monotonicMs();
  const abort = new AbortController();
  const onOuter = (): void => abort.abort();
  const look = (): void => {
    const leftMs = Math.max(startedMs, heardMs()) + silenceMsMax - clock.monotonicMs();
    if (leftMs <= 0) abort.abort();
    else cancel = clock.setTimer(leftMs, look);
  };
  let cancel = clock.setTimer(silenceMsMax, look);
  outer.addEventListener('abort', onOuter);
  const end = (): void => {
    cancel();
    outer.removeEventListener('abort', onOuter);
    abort.abort();
  };
  return { signal: abort.signal, end };
}
