/** The engine's own collection of garbage, for tests of what is held. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Afterwards what nobody holds is gone, but for what a WeakRef was made of, or asked for, in the same turn of the event loop. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
