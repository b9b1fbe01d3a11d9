/**
 * Where requests with `Prefer: wait` wait until their order's creation has ended.
 *
 * 1. The confirm or cancel may reach any replica. Where it is this one, whoever waits here is told how it ended, once that is
 *    committed; to others the news comes by Postgres NOTIFY.
 * 2. A notification is only a hint to read the order again. Hints are lost while the LISTEN connection is away; whoever waits
 *    reads again when it is back, and every RECHECK_MS anyway.
 * 3. Waiting costs a map entry and a timer, no connection: thousands may wait here.
 */
import { randomUUID } from 'node:crypto';
import type { Outcome } from './orders.ts';

/** Hints are hardly ever lost, so rarely enough to cost nothing, and often enough that a lost one is a short delay. */
const RECHECK_MS = 3_000;

export interface WaitingRequest {
  /**
   * Resolves when it is worth reading the order again, or at the latest after `ms`, or when `signal` aborts; to what was told of it, if
   * anything was. A hint that came since the last call counts.
   */
  hint(ms: number, signal: AbortSignal): Promise<Outcome | undefined>;
  end(): void;
}

export interface WaitingRequests {
  /** Of all that may wait for one order, these are one's own. */
  readonly process: string;
  /** Add a request before reading the order: what ends after the reading is then not missed. */
  add(orderId: string): WaitingRequest;
  wake(orderId: string): void;
  /** Wakes them with how it ended. */
  tell(orderId: string, outcome: Outcome): void;
  wakeAll(): void;
}

export function waitingRequests(): WaitingRequests {
  const waiters = new Map<string, Set<Wake>>();
  return {
    process: randomUUID(),
    add(orderId) {
      const { waiter, wake } = newWaiter(() => {
        const others = waiters.get(orderId);
        others?.delete(wake);
        if (others?.size === 0) waiters.delete(orderId);
      });
      const others = waiters.get(orderId) ?? new Set<Wake>();
      waiters.set(orderId, others.add(wake));
      return waiter;
    },
    wake(orderId) {
      for (const wake of waiters.get(orderId) ?? []) wake();
    },
    tell(orderId, outcome) {
      for (const wake of waiters.get(orderId) ?? []) wake(outcome);
    },
    wakeAll() {
      for (const others of waiters.values()) for (const wake of others) wake();
    },
  };
}

type Wake = (outcome?: Outcome) => void;

function newWaiter(end: () => void): { readonly waiter: WaitingRequest; readonly wake: Wake } {
  let hinted = false;
  let told: Outcome | undefined;
  let wakeSleeper = (): void => undefined;
  const waiter: WaitingRequest = {
    async hint(ms, signal) {
      await new Promise<void>((resolve) => {
        if (hinted || signal.aborted) {
          resolve();
          return;
        }
        const timer = setTimeout(resolve, Math.min(ms, RECHECK_MS));
        wakeSleeper = () => {
          clearTimeout(timer);
          resolve();
        };
        signal.addEventListener('abort', wakeSleeper, { once: true });
      });
      signal.removeEventListener('abort', wakeSleeper);
      hinted = false;
      const outcome = told;
      told = undefined;
      return outcome;
    },
    end,
  };
  const wake: Wake = (outcome) => {
    hinted = true;
    told = outcome ?? told;
    wakeSleeper();
  };
  return { waiter, wake };
}
