/**
 * A closed loop: so many lanes, each of which begins anew as soon as its last one has ended. What cannot be kept up with
 * is thus not asked for, and the figure is what the system can do, not how it falls over.
 */

export interface LoopLimits {
  readonly lanes: number;
  readonly milliseconds: number;
  /** Ends the loop early: bounds what it leaves behind on a machine faster than ours. */
  readonly roundsMax: number;
}

export interface LoopResult {
  readonly rounds: number;
  /** From the start until the last lane had ended. */
  readonly elapsedMs: number;
  /** Of each round. */
  readonly latenciesMs: readonly number[];
}

/** Rejects with the first failure, once every lane has stopped. */
export async function closedLoop(limits: LoopLimits, act: () => Promise<unknown>): Promise<LoopResult> {
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  let begun = 0;
  let failure: { readonly error: unknown } | undefined;
  const goesOn = () =>
    failure === undefined && begun < limits.roundsMax && performance.now() - startedMs < limits.milliseconds;
  const lane = async () => {
    while (goesOn()) {
      begun += 1;
      const begunMs = performance.now();
      try {
        await act();
      } catch (error) {
        failure ??= { error };
        return;
      }
      latenciesMs.push(performance.now() - begunMs);
    }
  };
  await Promise.all(Array.from({ length: limits.lanes }, lane));
  if (failure) throw failure.error as Error;
  return { rounds: latenciesMs.length, elapsedMs: performance.now() - startedMs, latenciesMs };
}

/** The smallest latency that this share of all stayed at or under (nearest rank). */
export function percentile(all: readonly number[], share: number): number {
  const sorted = all.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new Error('nothing was measured, so there is no percentile');
  return value;
}
