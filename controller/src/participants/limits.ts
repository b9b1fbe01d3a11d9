/**
 * How many calls run at an endpoint at once, and whose turn it is.
 *
 * One service serves several flows, so the limit belongs to the resolved endpoint (its origin) and not to a flow's
 * participant. What else concerns an endpoint as a whole, a circuit breaker above all, belongs to its gate as well.
 *
 * 1. A call gets a place while fewer calls run at the endpoint than its own participant's maxConcurrency. Flows may
 *    disagree about the number: each waiter is held to its own.
 * 2. Confirms and cancels go before tries: they set stock and money free, and a decided transaction is nearer its end.
 *    But where both wait, every fourth place goes to a try: a backlog of confirms never keeps new orders out.
 * 3. Among the tries the overdue go first: their transactions' deadlines wait for nothing else (T5).
 * 4. Among equals the first to come is the first to go, also where a later one's limit would let it pass.
 * 5. A changed maxConcurrency holds from the participant's next claim on, for those that already wait too.
 * 6. An endpoint nobody calls takes no memory.
 */

/** A confirm or cancel; a try that is asked for the first time although its deadline has come; any other try. */
export type Rank = 'settling' | 'overdue' | 'trying';

export interface Claim {
  /** The resolved origin. */
  readonly endpoint: string;
  /** Whose maxConcurrency it is: the participant, named uniquely in this process. */
  readonly holder: string;
  readonly maxConcurrency: number;
  readonly rank: Rank;
}

/**
 * Places that confirms and cancels take in a row while a try waits. More would make the tries' share too small for a
 * deadline of 30 s; fewer would let tries reserve more while what is reserved already waits to be set free.
 */
const SETTLING_IN_A_ROW_MAX = 3;

interface Waiter {
  readonly holder: string;
  readonly start: () => void;
}

interface Gate {
  running: number;
  /** Places that confirms and cancels got in a row while a try waited. */
  settledInARow: number;
  /** maxConcurrency by holder, as last seen. */
  readonly limits: Map<string, number>;
  /** Sets keep the order of arrival and let a withdrawn waiter leave from the middle. */
  readonly waiting: Readonly<Record<Rank, Set<Waiter>>>;
}

export class EndpointLimits {
  readonly #gates = new Map<string, Gate>();

  /**
   * True once the call has its place, at once where one is free; whoever got true calls `release` when it has ended.
   * False when the signal aborted first.
   */
  acquire(claim: Claim, signal: AbortSignal): true | Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    const gate = this.#gate(claim.endpoint);
    const nobodyWaits = RANKS.every((rank) => gate.waiting[rank].size === 0);
    gate.limits.set(claim.holder, claim.maxConcurrency);
    if (nobodyWaits && gate.running < claim.maxConcurrency) {
      gate.running += 1;
      return true;
    }
    return this.#wait(gate, claim, signal);
  }

  release(endpoint: string): void {
    const gate = this.#gates.get(endpoint);
    if (!gate) throw new Error(`release of ${endpoint} without acquire`);
    gate.running -= 1;
    startWaiting(gate);
    this.#forgetIfIdle(endpoint, gate);
  }

  /** Endpoints with calls running or waiting. */
  get endpoints(): number {
    return this.#gates.size;
  }

  #gate(endpoint: string): Gate {
    let gate = this.#gates.get(endpoint);
    if (!gate) {
      const waiting = { settling: new Set<Waiter>(), overdue: new Set<Waiter>(), trying: new Set<Waiter>() };
      gate = { running: 0, settledInARow: 0, limits: new Map(), waiting };
      this.#gates.set(endpoint, gate);
    }
    return gate;
  }

  #wait(gate: Gate, claim: Claim, signal: AbortSignal): Promise<boolean> {
    const queue = gate.waiting[claim.rank];
    return new Promise((resolve) => {
      const leave = () => {
        queue.delete(waiter);
        // Who waited behind a waiter with a lower limit may be able to start now.
        startWaiting(gate);
        this.#forgetIfIdle(claim.endpoint, gate);
        resolve(false);
      };
      const waiter: Waiter = {
        holder: claim.holder,
        start: () => {
          signal.removeEventListener('abort', leave);
          resolve(true);
        },
      };
      queue.add(waiter);
      signal.addEventListener('abort', leave, { once: true });
      // Others may wait for less than this one does, or this one for less than the others: a limit may have been raised.
      startWaiting(gate);
    });
  }

  #forgetIfIdle(endpoint: string, gate: Gate): void {
    if (gate.running === 0 && RANKS.every((rank) => gate.waiting[rank].size === 0)) this.#gates.delete(endpoint);
  }
}

const RANKS: readonly Rank[] = ['settling', 'overdue', 'trying'];

function startWaiting(gate: Gate): void {
  for (;;) {
    const queue = nextQueue(gate);
    const [first] = queue;
    if (!first || gate.running >= (gate.limits.get(first.holder) ?? 1)) return;
    queue.delete(first);
    gate.running += 1;
    const aTryWaits = gate.waiting.overdue.size + gate.waiting.trying.size > 0;
    gate.settledInARow = aTryWaits && queue === gate.waiting.settling ? gate.settledInARow + 1 : 0;
    first.start();
  }
}

function nextQueue({ waiting, settledInARow }: Gate): Set<Waiter> {
  const tries = waiting.overdue.size > 0 ? waiting.overdue : waiting.trying;
  if (tries.size === 0 || waiting.settling.size === 0) return tries.size === 0 ? waiting.settling : tries;
  return settledInARow < SETTLING_IN_A_ROW_MAX ? waiting.settling : tries;
}
