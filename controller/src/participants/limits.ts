/**
 * How many calls run at an endpoint at once.
 *
 * One service serves several flows, so the limit belongs to the resolved endpoint (its origin) and not to a flow's
 * participant. What else concerns an endpoint as a whole, a circuit breaker above all, belongs to its gate as well.
 *
 * 1. A call starts while fewer calls run at the endpoint than its own participant's maxConcurrency. Flows may disagree
 *    about the number: each waiter is held to its own.
 * 2. Confirms and cancels go before tries: they set stock and money free, and a decided transaction is nearer its end.
 *    Among equals the first to come is the first to go, also where a later one's limit would let it pass.
 * 3. A changed maxConcurrency holds from the participant's next call on, for those that already wait too.
 * 4. An endpoint nobody calls takes no memory.
 */

export interface Claim {
  /** The resolved origin. */
  readonly endpoint: string;
  /** Whose maxConcurrency it is: the participant, named uniquely in this process. */
  readonly holder: string;
  readonly maxConcurrency: number;
  /** Confirms and cancels. */
  readonly urgent: boolean;
}

interface Waiter {
  readonly holder: string;
  readonly start: () => void;
}

interface Gate {
  running: number;
  /** maxConcurrency by holder, as last seen. */
  readonly limits: Map<string, number>;
  /** Sets keep the order of arrival and let an aborted waiter leave from the middle. */
  readonly urgent: Set<Waiter>;
  readonly ordinary: Set<Waiter>;
}

export class EndpointLimits {
  readonly #gates = new Map<string, Gate>();

  /**
   * True once the call may start, at once where there is room; whoever got true calls `release` when it has ended.
   * False when the signal aborted first.
   */
  acquire(claim: Claim, signal: AbortSignal): true | Promise<boolean> {
    const gate = this.#gate(claim.endpoint);
    if (gate.limits.get(claim.holder) !== claim.maxConcurrency) {
      gate.limits.set(claim.holder, claim.maxConcurrency);
      startWaiting(gate);
    }
    const overtakesNobody = gate.urgent.size === 0 && (claim.urgent || gate.ordinary.size === 0);
    if (overtakesNobody && gate.running < claim.maxConcurrency) {
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
      gate = { running: 0, limits: new Map(), urgent: new Set(), ordinary: new Set() };
      this.#gates.set(endpoint, gate);
    }
    return gate;
  }

  #wait(gate: Gate, claim: Claim, signal: AbortSignal): Promise<boolean> {
    const queue = claim.urgent ? gate.urgent : gate.ordinary;
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
      if (signal.aborted) leave();
      else signal.addEventListener('abort', leave, { once: true });
    });
  }

  #forgetIfIdle(endpoint: string, gate: Gate): void {
    if (gate.running === 0 && gate.urgent.size === 0 && gate.ordinary.size === 0) this.#gates.delete(endpoint);
  }
}

function startWaiting(gate: Gate): void {
  for (;;) {
    const queue = gate.urgent.size > 0 ? gate.urgent : gate.ordinary;
    const [first] = queue;
    if (!first || gate.running >= (gate.limits.get(first.holder) ?? 1)) return;
    queue.delete(first);
    gate.running += 1;
    first.start();
  }
}
