/**
 * Where requests with `Prefer: wait` sit until their order's creation has ended.
 *
 * 1. The confirm or cancel may reach any replica, so the news comes by Postgres NOTIFY, sent in the very database transaction
 *    that ends the creation.
 * 2. A notification is only a hint to read the order again. Hints are lost while the LISTEN connection is away; whoever waits
 *    reads again when it is back, and every RECHECK_MS anyway.
 * 3. Waiting costs a map entry and a timer, no connection: thousands may sit here.
 */

/** Hints are hardly ever lost, so rarely enough to cost nothing, and often enough that a lost one is a short delay. */
const RECHECK_MS = 3_000;

export interface Seat {
  /**
   * Resolves when it is worth reading the order again, or at the latest after `ms`, or when `signal` aborts. A hint that came
   * since the last call counts.
   */
  hint(ms: number, signal: AbortSignal): Promise<void>;
  leave(): void;
}

export interface WaitingRoom {
  /** Take a seat before reading the order: what ends after the reading is then not missed. */
  sit(orderId: string): Seat;
  call(orderId: string): void;
  callEveryone(): void;
}

export function waitingRoom(): WaitingRoom {
  const seats = new Map<string, Set<() => void>>();
  return {
    sit(orderId) {
      const { seat, wake } = newSeat(() => {
        const neighbours = seats.get(orderId);
        neighbours?.delete(wake);
        if (neighbours?.size === 0) seats.delete(orderId);
      });
      const neighbours = seats.get(orderId) ?? new Set();
      seats.set(orderId, neighbours.add(wake));
      return seat;
    },
    call(orderId) {
      for (const wake of seats.get(orderId) ?? []) wake();
    },
    callEveryone() {
      for (const neighbours of seats.values()) for (const wake of neighbours) wake();
    },
  };
}

function newSeat(leave: () => void): { readonly seat: Seat; readonly wake: () => void } {
  let hinted = false;
  let wakeSleeper = (): void => undefined;
  const seat: Seat = {
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
    leave,
  };
  const wake = (): void => {
    hinted = true;
    wakeSleeper();
  };
  return { seat, wake };
}
