/**
 * How many calls run at an endpoint at once, and whose turn it is.
 *
 * One service serves several flows, so limit and breaker belong to the resolved endpoint (its origin) and not to a flow's
 * participant. When a breaker opens, closes and lets through is breaker.ts's.
 *
 * 1. A call gets a place while fewer calls run at the endpoint than its own participant's maxConcurrency. Flows may
 *    disagree about the number: each waiter is held to its own.
 * 2. Confirms and cancels go before tries: they set stock and money free, and a decided transaction is nearer its end.
 *    But where both wait, every fourth place goes to a try: a backlog of confirms never keeps new orders out.
 * 3. Among the tries the overdue go first: their transactions' deadlines wait for nothing else (T5). Then those that are sent for the
 *    first time; every fourth place is for one that is repeated. After a start everything undecided is asked again, and a new order
 *    would wait for all of it.
 * 4. Among equals the first to come is the first to go, also where a later one's limit would let it pass.
 * 5. A changed maxConcurrency holds from the participant's next claim on, for those that already wait too.
 * 6. An endpoint that nobody calls takes no memory, unless its breaker has something to remember.
 * 7. What a person asks for goes first. It needs a place, but no breaker holds it back.
 * 8. A breaker that closes lets all that wait go, as places allow.
 * 9. Where calls time out there are fewer places than maxConcurrency says (window.ts), until WINDOW_KEPT_MS after nobody calls any more.
 */
import type { BranchCall } from '../reconcile/ports.ts';
import type { Cancel, Clock } from '../runtime/clock.ts';
import {
  admission,
  gone,
  heard,
  NEVER_OPENED,
  nextTurnAtMs,
  type Admission,
  type Breaker,
  type Sign,
} from './breaker.ts';
import { afterAnswer, afterTimeOut, forgotten, UNBOUNDED, type Window } from './window.ts';

/**
 * What a person asked for; a confirm or cancel; a try that is asked for the first time although its deadline has come; any other that is
 * asked for the first time; a try that was asked for before, by whomever.
 */
export type Rank = 'requested' | 'settling' | 'overdue' | 'trying' | 'repeating';

/** An attempt before this one is stored whoever has made it. After a start what was answered already is asked for again, too (T5). */
export function rankOf({
  operation,
  overdue,
  requested,
  attempt,
}: Pick<BranchCall, 'operation' | 'overdue' | 'requested' | 'attempt'>): Rank {
  if (requested) return 'requested';
  if (operation !== 'try') return 'settling';
  if (overdue) return 'overdue';
  return attempt > 1 ? 'repeating' : 'trying';
}

export interface Claim {
  /** The resolved origin. */
  readonly endpoint: string;
  /** Whose maxConcurrency it is: the participant, named uniquely in this process. */
  readonly holder: string;
  readonly maxConcurrency: number;
  readonly rank: Rank;
}

export interface EndpointHealth {
  /** How long its breaker has been open; undefined while it is closed. */
  readonly downForMs: number | undefined;
  /** How often its breaker has closed again. */
  readonly revivals: number;
  /** How often it has been sent fewer calls at once. */
  readonly reductions: number;
}

export interface LimitsSettings {
  readonly clock: Pick<Clock, 'monotonicMs' | 'setTimer'>;
  /** A breaker has opened or closed. */
  readonly onBreaker?: (endpoint: string, state: Breaker['state']) => void;
}

/**
 * Places that confirms and cancels take in a row while a try waits. More would make the tries' share too small for a
 * deadline of 30 s; fewer would let tries reserve more while what is reserved already waits to be set free.
 */
const SETTLING_IN_A_ROW_MAX = 3;

/** First tries that take places in a row while a repeated one waits. */
const TRYING_IN_A_ROW_MAX = 3;

/** Longer than the back-off of those that timed out: all of them may be waiting for its end. */
const WINDOW_KEPT_MS = 120_000;

interface Waiter {
  readonly holder: string;
  readonly start: () => void;
}

interface Gate {
  readonly endpoint: string;
  running: number;
  /** Places that confirms and cancels got in a row while a try waited. */
  settledInARow: number;
  /** Places that first tries got in a row while a repeated one waited. */
  triedInARow: number;
  /** maxConcurrency by holder, as last seen. */
  readonly limits: Map<string, number>;
  /** Sets keep the order of arrival and let a withdrawn waiter leave from the middle. */
  readonly waiting: Readonly<Record<Rank, Set<Waiter>>>;
  breaker: Breaker;
  window: Window;
  /** When a call last timed out. */
  timedOutAtMs: number;
  /** Until somebody who waits may go through the open breaker. */
  timer: { readonly atMs: number; readonly cancel: Cancel } | undefined;
}

export class EndpointLimits {
  readonly #settings: LimitsSettings;
  readonly #gates = new Map<string, Gate>();

  constructor(settings: LimitsSettings) {
    this.#settings = settings;
  }

  /**
   * True once the call has its place, at once where one is free; whoever got true calls `release` when it has ended.
   * False when the signal aborted first.
   */
  acquire(claim: Claim, signal: AbortSignal): true | Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    const gate = this.#gate(claim.endpoint);
    gate.limits.set(claim.holder, claim.maxConcurrency);
    if (nobodyWaits(gate) && gate.running < placesOf(gate, claim.holder) && gate.breaker.state === 'closed') {
      gate.running += 1;
      return true;
    }
    return this.#wait(gate, claim, signal);
  }

  /** @param sign what the call tells of the participant; absent where it tells nothing */
  release(endpoint: string, sign?: Sign): void {
    const gate = this.#gates.get(endpoint);
    if (!gate) throw new Error(`release of ${endpoint} without acquire`);
    const before = gate.breaker.state;
    if (sign) {
      const nowMs = this.#settings.clock.monotonicMs();
      gate.breaker = heard(gate.breaker, sign, nowMs);
      measure(gate, sign, nowMs);
    }
    gate.running -= 1;
    this.#startWaiting(gate);
    this.#forgetIfIdle(gate);
    if (gate.breaker.state !== before) this.#settings.onBreaker?.(endpoint, gate.breaker.state);
  }

  health(endpoint: string): EndpointHealth {
    const { breaker, window } = this.#gates.get(endpoint) ?? { breaker: NEVER_OPENED, window: UNBOUNDED };
    const downForMs = breaker.state === 'open' ? this.#settings.clock.monotonicMs() - breaker.sinceMs : undefined;
    return { downForMs, revivals: breaker.revivals, reductions: window.reductions };
  }

  /** By endpoint, of those that are sent fewer at once than maxConcurrency because calls timed out: how many. */
  windows(): ReadonlyMap<string, number> {
    const bounded = [...this.#gates.values()].filter((gate) => gate.window.size < fullSizeOf(gate));
    return new Map(bounded.map(({ endpoint, window }) => [endpoint, Math.floor(window.size)]));
  }

  /** Endpoints with calls running or waiting, and those whose breaker remembers something. */
  get endpoints(): number {
    return this.#gates.size;
  }

  /** By endpoint, of those that have failed: whether it is open. */
  breakers(): ReadonlyMap<string, Breaker['state']> {
    const known = [...this.#gates.values()].filter(({ breaker }) => breaker !== NEVER_OPENED);
    return new Map(known.map(({ endpoint, breaker }) => [endpoint, breaker.state]));
  }

  #gate(endpoint: string): Gate {
    let gate = this.#gates.get(endpoint);
    if (!gate) {
      const waiting = { requested: none(), settling: none(), overdue: none(), trying: none(), repeating: none() };
      const idle = {
        endpoint,
        running: 0,
        settledInARow: 0,
        triedInARow: 0,
        limits: new Map<string, number>(),
        waiting,
      };
      gate = { ...idle, breaker: NEVER_OPENED, window: UNBOUNDED, timedOutAtMs: -Infinity, timer: undefined };
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
        this.#startWaiting(gate);
        this.#forgetIfIdle(gate);
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
      this.#startWaiting(gate);
    });
  }

  #startWaiting(gate: Gate): void {
    const { clock } = this.#settings;
    let nowMs: number;
    for (;;) {
      nowMs = clock.monotonicMs();
      const as = admission(gate.breaker, gate.waiting.overdue.size > 0, nowMs);
      const queue = nextQueue(gate, as);
      const [first] = queue ?? [];
      if (!queue || !first || gate.running >= placesOf(gate, first.holder)) break;
      queue.delete(first);
      gate.running += 1;
      if (queue !== gate.waiting.requested) gate.breaker = gone(gate.breaker, as, nowMs);
      this.#count(gate, queue);
      first.start();
    }
    this.#arm(gate, nowMs);
  }

  /** Whose turn it was. */
  #count(gate: Gate, queue: Set<Waiter>): void {
    const { settling, overdue, trying, repeating } = gate.waiting;
    const aTryWaits = overdue.size + trying.size + repeating.size > 0;
    gate.settledInARow = aTryWaits && queue === settling ? gate.settledInARow + 1 : 0;
    if (queue === repeating || repeating.size === 0) gate.triedInARow = 0;
    else if (queue === trying) gate.triedInARow += 1;
  }

  /**
   * Comes back when the breaker lets somebody go; for who waits for a place, `release` does.
   *
   * @param nowMs when nobody was let go: a later look at the clock may find the turn come, and leave it to nobody
   */
  #arm(gate: Gate, nowMs: number): void {
    const { clock } = this.#settings;
    const dueAtMs = nobodyWaits(gate) ? undefined : nextTurnAtMs(gate.breaker, gate.waiting.overdue.size > 0);
    const atMs = dueAtMs !== undefined && dueAtMs > nowMs ? dueAtMs : undefined;
    if (gate.timer?.atMs === atMs) return;
    gate.timer?.cancel();
    gate.timer = undefined;
    if (atMs === undefined) return;
    const fire = (): void => {
      gate.timer = undefined;
      this.#startWaiting(gate);
    };
    gate.timer = { atMs, cancel: clock.setTimer(atMs - nowMs, fire) };
  }

  #forgetIfIdle(gate: Gate): void {
    if (gate.running > 0 || !nobodyWaits(gate)) return;
    const isLongAgo = this.#settings.clock.monotonicMs() - gate.timedOutAtMs >= WINDOW_KEPT_MS;
    if (isLongAgo) gate.window = forgotten(gate.window);
    const { breaker } = gate;
    const remembersNothing = breaker.state === 'closed' && breaker.revivals === 0 && breaker.failed.length === 0;
    if (remembersNothing && isLongAgo) this.#gates.delete(gate.endpoint);
  }
}

function placesOf({ limits, window }: Gate, holder: string): number {
  return Math.min(limits.get(holder) ?? 1, Math.floor(window.size));
}

/** The most that any participant there may have at once. */
function fullSizeOf({ limits }: Gate): number {
  return Math.max(...limits.values());
}

function measure(gate: Gate, sign: Sign, nowMs: number): void {
  if (sign.kind === 'alive') {
    gate.window = afterAnswer(gate.window, () => fullSizeOf(gate));
  } else if (sign.timedOut) {
    gate.timedOutAtMs = nowMs;
    gate.window = afterTimeOut(gate.window, gate.running, sign.reductions);
  }
}

const RANKS: readonly Rank[] = ['requested', 'settling', 'overdue', 'trying', 'repeating'];

function none(): Set<Waiter> {
  return new Set();
}

function nobodyWaits({ waiting }: Gate): boolean {
  return RANKS.every((rank) => waiting[rank].size === 0);
}

function nextQueue(gate: Gate, as: Admission): Set<Waiter> | undefined {
  const { waiting, settledInARow } = gate;
  if (waiting.requested.size > 0) return waiting.requested;
  if (as === 'nobody') return undefined;
  if (as === 'never sent') return waiting.overdue;
  const tries = nextTries(gate);
  if (tries.size === 0 || waiting.settling.size === 0) return tries.size === 0 ? waiting.settling : tries;
  return settledInARow < SETTLING_IN_A_ROW_MAX ? waiting.settling : tries;
}

function nextTries({ waiting: { overdue, trying, repeating }, triedInARow }: Gate): Set<Waiter> {
  if (overdue.size > 0) return overdue;
  if (trying.size === 0 || repeating.size === 0) return trying.size > 0 ? trying : repeating;
  return triedInARow < TRYING_IN_A_ROW_MAX ? trying : repeating;
}
