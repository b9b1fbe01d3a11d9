/**
 * Where requests with `Prefer: wait` wait until their order's creation has ended.
 *
 * 1. The confirm or cancel may reach any replica, so the news comes by Postgres NOTIFY, sent in the very database transaction
 *    that ends the creation.
 * 2. A notification is only a hint to read the order again. Hints are lost while the LISTEN connection is away; whoever waits
 *    reads again when it is back, and every RECHECK_MS anyway.
 * 3. Waiting costs a map entry and a timer, no connection: thousands may wait here.
 */

/** Hints are hardly ever lost, so rarely enough to cost nothing, and often enough that a lost one is a short delay. */
const RECHECK_MS = 3_000;

export interface WaitingRequest {
  /**
   * Resolves when it is worth reading the order again, or at the latest after `ms`, or when `signal` aborts. A hint that came
   * since the last call counts.
   */
  hint(ms: number, signal: AbortSignal): Promise<void>;
  end(): void;
}

export interface WaitingRequests {
  /** Add a request before reading the order: what ends after the reading is then not missed. */
  add(orderId: string): WaitingRequest;
  wake(orderId: string): void;
  wakeAll(): void;
}

export function waitingRequests(): WaitingRequests {
  const waiters = new Map<string, Set<() => void>>();
  return {
    add(orderId) {
      const { waiter, wake } = newWaiter(() => {
        const others = waiters.get(orderId);
        others?.delete(wake);
        if (others?.size === 0) waiters.delete(orderId);
      });
      const others = waiters.get(orderId) ?? new Set();
      waiters.set(orderId, others.add(wake));
      return waiter;
    },
    wake(orderId) {
      for (const wake of waiters.get(orderId) ?? []) wake();
    },
    wakeAll() {
      for (const others of waiters.values()) for (const wake of others) wake();
    },
  };
}

function newWaiter(end: () => void): { readonly waiter: WaitingRequest; readonly wake: () => void } {
  let hinted = false;
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
    },
    end,
  };
  const wake = (): void => {
    hinted = true;
    wakeSleeper();
  };
  return { waiter, wake };
}
