/**
 * A process that is told to end before it has started ends at once, with the code that shells report for that signal.
 *
 * In a container it is process 1, which the kernel gives no signal to that it has no handler for: SIGTERM in the middle of a start would
 * be lost, and a start that waits (for its turn to migrate, for an API server) would last until it is killed.
 */
import { constants } from 'node:os';

/** Besides the signal's number, by shells' convention. */
const ENDED_BY_SIGNAL = 128;
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

const end = (signal: (typeof SIGNALS)[number]): never => process.exit(ENDED_BY_SIGNAL + constants.signals[signal]);

export function endEarly(): void {
  for (const signal of SIGNALS) process.on(signal, end);
}

/** To be called once there is something to be closed in good order, and somebody else listens. */
export function startIsOver(): void {
  for (const signal of SIGNALS) process.off(signal, end);
}
