/**
 * The circuit breaker of one endpoint, as a pure state machine: who answers nobody is asked by turns.
 *
 * It knows no queue and no clock of its own: limits.ts asks it who may go now, and tells it what came of the calls.
 *
 * 1. It opens when calls of TRANSACTIONS_MIN different transactions have failed since the last sign of life. One that
 *    always fails, however often, opens nothing for the others.
 * 2. While it is open one call a second goes out, the one whose turn it is, also while the one before has no answer yet.
 * 3. Beside those, tries that were never sent and whose deadline has come go out four a second: no deadline counts before
 *    they were asked (T5).
 * 4. What a person asks for goes out at once.
 * 5. The first sign of life closes it, whichever call it came to.
 * 6. A failure of a call that began before it was last closed says nothing of the participant since.
 * 7. What failed before it was closed by another's sign of life, and fails again, is poisonous: a transaction that the participant cannot
 *    take while it answers others. It counts no more until it is answered. Otherwise a few of those, which all go when it closes, would
 *    open it again each time, and everybody else would wait for turns for as long as they are there.
 */

/**
 * Fewer, and two transactions that a participant cannot take would hold up all others; more, and where few come it would
 * take long to open.
 */
export const TRANSACTIONS_MIN = 3;

/** Shorter would be a load on what is starting up; longer, and all that wait would wait longer after it is back. */
export const TURN_EVERY_MS = 1_000;

/** A few a second in all. Less would leave what a restarted controller has to ask undecided for longer. */
export const FIRST_ASK_EVERY_MS = 250;

/**
 * More than a person leaves lying, and few enough that their own back-offs are no load. Of an outage with more waiting only those that
 * failed last are remembered, and the others count again.
 */
export const POISONOUS_MAX = 100;

interface Closed {
  readonly state: 'closed';
  /** How often it has been closed by a sign of life. */
  readonly revivals: number;
  /** Different transactions whose calls have failed since the last sign of life, up to TRANSACTIONS_MIN. */
  readonly failed: readonly string[];
  readonly poisonous: readonly string[];
}

interface Open {
  readonly state: 'open';
  readonly revivals: number;
  /** Different transactions whose calls have failed since the last sign of life, the last POISONOUS_MAX. */
  readonly failed: readonly string[];
  readonly poisonous: readonly string[];
  readonly sinceMs: number;
  /** From when on the next in turn may go. */
  readonly turnAtMs: number;
  /** From when on a try may go that was never sent and that its deadline waits for. */
  readonly firstAskAtMs: number;
}

export type Breaker = Closed | Open;

/** What a call tells of the participant. */
export type Sign =
  | { readonly kind: 'alive'; readonly transaction: string }
  | {
      readonly kind: 'failed';
      readonly transaction: string;
      /** The breaker's `revivals` when the call began. */
      readonly revivals: number;
      /** It had no answer in time. */
      readonly timedOut: boolean;
      /** The window's `reductions` when the call began. */
      readonly reductions: number;
    };

export const NEVER_OPENED: Breaker = { state: 'closed', revivals: 0, failed: [], poisonous: [] };

export function heard(breaker: Breaker, sign: Sign, nowMs: number): Breaker {
  switch (sign.kind) {
    case 'alive':
      return alive(breaker, sign.transaction);
    case 'failed':
      return breaker.state === 'open' ? failedAgain(breaker, sign.transaction) : failed(breaker, sign, nowMs);
  }
}

function alive(breaker: Breaker, transaction: string): Breaker {
  const { state, revivals, failed: before, poisonous } = breaker;
  if (state === 'open') {
    const known = [...without(poisonous, before), ...before].filter((each) => each !== transaction);
    return { state: 'closed', revivals: revivals + 1, failed: [], poisonous: known.slice(-POISONOUS_MAX) };
  }
  if (before.length === 0 && !poisonous.includes(transaction)) return breaker;
  return { ...breaker, failed: [], poisonous: without(poisonous, [transaction]) };
}

function failedAgain(breaker: Open, transaction: string): Open {
  return { ...breaker, failed: [...without(breaker.failed, [transaction]), transaction].slice(-POISONOUS_MAX) };
}

function failed(breaker: Closed, { transaction, revivals }: Extract<Sign, { kind: 'failed' }>, nowMs: number): Breaker {
  if (revivals < breaker.revivals || breaker.failed.includes(transaction)) return breaker;
  if (breaker.poisonous.includes(transaction)) return breaker;
  const transactions = [...breaker.failed, transaction];
  if (transactions.length < TRANSACTIONS_MIN) return { ...breaker, failed: transactions };
  return {
    ...{ state: 'open', revivals: breaker.revivals, failed: transactions, poisonous: breaker.poisonous },
    ...{ sinceMs: nowMs, turnAtMs: nowMs + TURN_EVERY_MS, firstAskAtMs: nowMs + FIRST_ASK_EVERY_MS },
  };
}

function without(transactions: readonly string[], left: readonly string[]): readonly string[] {
  return transactions.filter((each) => !left.includes(each));
}

/** Who may go now, beside those that a person asked for: everybody, the next in turn, the next that was never sent, or nobody. */
export type Admission = 'everybody' | 'next' | 'never sent' | 'nobody';

export function admission(breaker: Breaker, neverSentWait: boolean, nowMs: number): Admission {
  if (breaker.state === 'closed') return 'everybody';
  if (nowMs >= breaker.turnAtMs) return 'next';
  return neverSentWait && nowMs >= breaker.firstAskAtMs ? 'never sent' : 'nobody';
}

/** One has gone out as it was admitted. */
export function gone(breaker: Breaker, as: Admission, nowMs: number): Breaker {
  if (breaker.state === 'closed') return breaker;
  if (as === 'next') return { ...breaker, turnAtMs: nowMs + TURN_EVERY_MS };
  return as === 'never sent' ? { ...breaker, firstAskAtMs: nowMs + FIRST_ASK_EVERY_MS } : breaker;
}

/** When somebody may go who may not now; undefined while everybody may. */
export function nextTurnAtMs(breaker: Breaker, neverSentWait: boolean): number | undefined {
  if (breaker.state === 'closed') return undefined;
  return neverSentWait ? Math.min(breaker.turnAtMs, breaker.firstAskAtMs) : breaker.turnAtMs;
}
