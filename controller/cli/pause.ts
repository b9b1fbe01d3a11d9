/**
 * Waiting that Ctrl-C ends.
 */
import { setTimeout as timeout } from 'node:timers/promises';

/** Returns at once where the time is over, or the signal has aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return;
  await timeout(ms, undefined, { signal }).catch(() => undefined);
}
