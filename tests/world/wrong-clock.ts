/**
 * The environment of a process whose clock is wrong.
 */
import { join } from 'node:path';

/** @param thenSeconds how far ahead it is from a SIGUSR2 on */
export function wrongClock(aheadSeconds: number, thenSeconds = aheadSeconds): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'shifted-clock.ts')}`,
    CLOCK_AHEAD_SECONDS: String(aheadSeconds),
    CLOCK_THEN_SECONDS: String(thenSeconds),
  };
}
