/** The engine's own collection of garbage, for tests of what is held. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Afterwards what nobody holds is gone, but for what a WeakRef was made of, or asked for, in the same turn of the event loop.
 *
 * Twice: buffers are freed by a thread beside, for which a collection does not wait, but the next one does.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
}

/** How many bytes more are on the heap while what `make` returns is held; give or take some hundreds of kilobytes. */
export function bytesHeldBy(make: () => unknown): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const held = make();
  collectGarbage();
  const bytes = process.memoryUsage().heapUsed - before;
  // So that it is held until here.
  return held === undefined ? NaN : bytes;
}
