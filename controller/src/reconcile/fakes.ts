/**
 * Small working substitutes for tests of the loop: an API server that compares and swaps, participants with a fence,
 * a queue that a test steps through by hand, and a clock that it sets.
 *
 * The API server also refuses illegal steps, as the real one does; so a test that ends well has shown that none was tried.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { Participant, TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { Sign } from '../participants/breaker.ts';
import { EndpointLimits, rankOf, type Rank } from '../participants/limits.ts';
import { illegalStep } from '../transaction/legality.ts';
import { NOT_CALLED, WORKING_ON_IT, type Operation, type Outcome } from '../transaction/outcome.ts';
import type {
  BranchCall,
  CallRequest,
  CallResult,
  Clock,
  FlowStore,
  Health,
  Key,
  Participants,
  ReadResult,
  Schedule,
  TransactionStore,
  WriteResult,
} from './ports.ts';

export class ManualClock implements Clock {
  ms = Date.parse('2026-01-01T00:00:00Z');
  readonly #timers = new Set<{ readonly atMs: number; readonly fire: () => void }>();
  now(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  setTimer(delayMs: number, fire: () => void): () => void {
    const timer = { atMs: this.ms + delayMs, fire };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
  /** Fires what has fallen due since the time was set. */
  fireTimers(): void {
    for (const timer of this.#timers) {
      if (timer.atMs > this.ms) continue;
      this.#timers.delete(timer);
      timer.fire();
    }
  }
  /** When the next timer is due. */
  nextTimerMs(): number | undefined {
    return this.#timers.size > 0 ? Math.min(...[...this.#timers].map(({ atMs }) => atMs)) : undefined;
  }
}

export class ManualQueue implements Schedule {
  readonly #due = new Map<Key, number>();
  readonly #clock: ManualClock;
  constructor(clock: ManualClock) {
    this.#clock = clock;
  }
  soon(key: Key): void {
    this.after(key, 0);
  }
  /** How often somebody was content to wait for his turn. */
  inTurns = 0;
  inTurn(key: Key): void {
    this.inTurns += 1;
    this.after(key, 0);
  }
  after(key: Key, delayMs: number): void {
    const atMs = this.#clock.now() + Math.max(0, delayMs);
    this.#due.set(key, Math.min(atMs, this.#due.get(key) ?? Infinity));
  }
  forget(key: Key): void {
    if ((this.#due.get(key) ?? 0) > this.#clock.now()) this.#due.delete(key);
  }
  /** Takes a key that is due now. */
  take(): Key | undefined {
    for (const [key, atMs] of this.#due) {
      if (atMs > this.#clock.now()) continue;
      this.#due.delete(key);
      return key;
    }
    return undefined;
  }
  /** When the next key is due; undefined when none is scheduled. */
  nextAtMs(): number | undefined {
    return this.#due.size > 0 ? Math.min(...this.#due.values()) : undefined;
  }
}

/** Every status ever stored for each key is kept, so that copies of any age can be handed out. */
export class MemoryApiServer {
  readonly #versions = new Map<Key, OrderTransaction[]>();
  #lastVersion = 0;
  readonly conflicts: Key[] = [];
  readonly refusals: string[] = [];
  writes = 0;

  create(transaction: Omit<OrderTransaction, 'apiVersion' | 'kind'>): OrderTransaction {
    const stored = this.#stamp({ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', ...transaction });
    this.#versions.set(keyOf(stored), [stored]);
    return stored;
  }

  /** A person's change of spec or annotations. */
  edit(key: Key, change: (transaction: OrderTransaction) => OrderTransaction): void {
    const versions = this.#versions.get(key) ?? [];
    const current = versions.at(-1);
    if (!current) throw new Error(`${key} does not exist`);
    versions.push(this.#stamp(change(current)));
  }

  /** As after a restore from a snapshot: only the first versions of it were ever stored. */
  goBack(key: Key, versionsKept: number): void {
    this.#versions.set(key, this.versions(key).slice(0, versionsKept));
  }

  /** No copy but the current one is kept any more. */
  forgetOlder(key: Key): void {
    this.#versions.set(key, [...this.versions(key).slice(-1)]);
  }

  remove(key: Key): void {
    this.#versions.delete(key);
  }

  current(key: Key): OrderTransaction | undefined {
    return this.#versions.get(key)?.at(-1);
  }

  versions(key: Key): readonly OrderTransaction[] {
    return this.#versions.get(key) ?? [];
  }

  putStatus(from: OrderTransaction, status: OrderTransactionStatus): WriteResult {
    const key = keyOf(from);
    const current = this.current(key);
    if (!current) return { kind: 'gone' };
    if (current.metadata.resourceVersion !== from.metadata.resourceVersion) {
      this.conflicts.push(key);
      return { kind: 'conflict' };
    }
    const illegal = illegalStep(current.status, status);
    if (illegal) {
      this.refusals.push(illegal);
      return { kind: 'refused', message: illegal };
    }
    this.writes += 1;
    const stored = this.#stamp({ ...current, status });
    this.#versions.get(key)?.push(stored);
    return { kind: 'stored', transaction: stored };
  }

  #stamp(transaction: OrderTransaction): OrderTransaction {
    this.#lastVersion += 1;
    const { metadata } = transaction;
    return {
      ...transaction,
      metadata: { ...metadata, resourceVersion: String(this.#lastVersion), generation: metadata.generation ?? 1 },
    };
  }
}

export function keyOf(transaction: OrderTransaction): Key {
  return `${transaction.metadata.namespace}/${transaction.metadata.name}`;
}

/** One controller's sight of the API server: `lag` versions behind, until it has read or written for itself. */
export class LaggingStore implements TransactionStore {
  readonly #server: MemoryApiServer;
  readonly #onAnswer: () => void;
  readonly #own = new Map<Key, OrderTransaction>();
  lag: (key: Key) => number = () => 0;
  /** What happens to the next request: its answer may be lost although it arrived. */
  fault: (request: 'read' | 'write') => 'none' | 'lost' | 'answer-lost' | 'conflict' = () => 'none';

  /** @param onAnswer called whenever the API server has answered */
  constructor(server: MemoryApiServer, onAnswer: () => void) {
    this.#server = server;
    this.#onAnswer = onAnswer;
  }

  /** Everything was listed anew: what it knew besides is forgotten. */
  relisted(): void {
    this.#own.clear();
  }

  get(key: Key): OrderTransaction | undefined {
    const versions = this.#server.versions(key);
    const cached = versions[Math.max(0, versions.length - 1 - this.lag(key))];
    const own = this.#own.get(key);
    return own && cached && version(own) > version(cached) ? own : cached;
  }

  read(key: Key): Promise<ReadResult> {
    if (this.fault('read') !== 'none') return Promise.resolve({ kind: 'unknown', message: 'no answer' });
    this.#onAnswer();
    const transaction = this.#server.current(key);
    if (!transaction) return Promise.resolve({ kind: 'absent' });
    this.#own.set(key, transaction);
    return Promise.resolve({ kind: 'found', transaction });
  }

  writeStatus(transaction: OrderTransaction, status: OrderTransactionStatus): Promise<WriteResult> {
    const fault = this.fault('write');
    if (fault === 'lost') return Promise.resolve({ kind: 'unknown', message: 'no answer' });
    if (fault === 'conflict') {
      this.#server.conflicts.push(keyOf(transaction));
      return Promise.resolve({ kind: 'conflict' });
    }
    const result = this.#server.putStatus(transaction, status);
    if (fault === 'answer-lost') return Promise.resolve({ kind: 'unknown', message: 'no answer' });
    this.#onAnswer();
    if (result.kind === 'stored') this.#own.set(keyOf(transaction), result.transaction);
    return Promise.resolve(result);
  }
}

/** The name of an endpoint that may not be called. */
export const FORBIDDEN = 'forbidden';

export function endpointOf({ endpoint }: Participant): string {
  return endpoint.url ?? endpoint.service?.name ?? '';
}

function version(transaction: OrderTransaction): number {
  return Number(transaction.metadata.resourceVersion);
}

/** Flows as they are stored, and a watch that may be behind by some of them. */
export class MemoryFlows implements FlowStore {
  readonly flows = new Map<string, TransactionFlow>();
  /** What the watch shows instead, by name, until it is told of what is stored. */
  readonly behind = new Map<string, TransactionFlow | undefined>();
  reads = 0;
  isAway = false;

  get(_namespace: string, name: string): TransactionFlow | undefined {
    return this.behind.has(name) ? this.behind.get(name) : this.flows.get(name);
  }

  read(_namespace: string, name: string): Promise<boolean> {
    this.reads += 1;
    if (!this.isAway) this.behind.delete(name);
    return Promise.resolve(!this.isAway);
  }
}

type FenceState = 'Tried' | 'Refused' | 'Confirmed' | 'Cancelled';

/** Participants that keep the fence's fifteen cells, with a place for each call; `effects` counts what their business did. */
export class FencedParticipants implements Participants {
  readonly rows = new Map<string, FenceState>();
  readonly effects = new Map<string, number>();
  readonly calls: { readonly operation: Operation; readonly branch: string; readonly decided: string | undefined }[] =
    [];
  readonly #limits: EndpointLimits;
  /** An endpoint answers nobody any more, or answers again. */
  readonly onBreaker: (() => void)[] = [];
  /** Calls begun, sent or not. */
  begun = 0;
  /** Told of each call as it goes out. */
  onSent: (call: BranchCall) => void = () => undefined;
  /** How long a participant takes to answer: until this resolves. */
  takes: (call: BranchCall) => Promise<void> = () => Promise.resolve();
  /** How long its answer is on the way: until this resolves. */
  returns: (call: BranchCall) => Promise<void> = () => Promise.resolve();
  refusesTry: (branch: string) => boolean = () => false;
  /** What goes wrong with a call; an outcome is what is answered, without any effect. */
  fault: (call: BranchCall) => 'none' | 'lost' | 'answer-lost' | 'later' | 'unsent' | 'blocked' | Outcome = () =>
    'none';

  #others = 0;

  constructor(clock: ManualClock) {
    this.#limits = new EndpointLimits({ clock, onBreaker: () => this.onBreaker.forEach((told) => told()) });
  }

  health(_namespace: string, participant: Participant): Health {
    return this.#limits.health(endpointOf(participant));
  }

  /** Calls for so many other transactions, each time others, fail at this endpoint. */
  failFor(endpoint: string, transactions: number): void {
    for (let nth = 0; nth < transactions; nth += 1) {
      const { revivals, reductions } = this.#limits.health(endpoint);
      const transaction = `other ${++this.#others}`;
      this.#forOther(endpoint, { kind: 'failed', transaction, timedOut: true, revivals, reductions });
    }
  }

  /** A call for another transaction is answered there. */
  answerOther(endpoint: string): void {
    this.#forOther(endpoint, { kind: 'alive', transaction: 'another' });
  }

  #forOther(endpoint: string, sign: Sign): void {
    const claim = { endpoint, holder: 'someone else', maxConcurrency: Infinity, rank: 'requested' } as const;
    const place = this.#limits.acquire(claim, new AbortController().signal);
    if (place === true) this.#limits.release(endpoint, sign);
    else void place.then(() => this.#limits.release(endpoint, sign));
  }

  /** Takes a place at this endpoint, or the next one that comes, until the function it returns is called. */
  occupy(endpoint: string, rank: Rank = 'settling'): () => void {
    const claim = { endpoint, holder: 'someone else', maxConcurrency: Infinity, rank };
    const place = this.#limits.acquire(claim, new AbortController().signal);
    return () => {
      if (place === true) this.#limits.release(endpoint);
      else void place.then(() => this.#limits.release(endpoint));
    };
  }

  async call(request: CallRequest): Promise<CallResult> {
    this.begun += 1;
    for (let call = request.current(); call; call = request.current()) {
      const endpoint = endpointOf(call.participant);
      if (endpoint === FORBIDDEN)
        return { kind: 'blocked', reason: 'EndpointForbidden', detail: `${NOT_CALLED}not allowed` };
      const place = this.#limits.acquire(
        {
          ...{ endpoint, holder: call.participant.name, maxConcurrency: call.participant.maxConcurrency },
          rank: rankOf(call),
        },
        request.withdrawn,
      );
      if (place !== true && !(await place)) break;
      const { revivals, reductions } = this.#limits.health(endpoint);
      let sign: Sign | undefined;
      try {
        const now = request.current();
        if (now && endpointOf(now.participant) === endpoint) {
          request.sent();
          const outcome = await this.#answer(now);
          sign =
            outcome.kind === 'unknown'
              ? { kind: 'failed', transaction: keyOf(now.transaction), timedOut: true, revivals, reductions }
              : { kind: 'alive', transaction: keyOf(now.transaction) };
          return outcome;
        }
      } finally {
        this.#limits.release(endpoint, sign);
      }
    }
    return { kind: 'withdrawn' };
  }

  async #answer(call: BranchCall): Promise<Outcome> {
    const { transaction, participant, operation } = call;
    const decided = transaction.status?.decision;
    this.calls.push({ operation, branch: participant.name, decided });
    this.onSent(call);
    await this.takes(call);
    const fault = this.fault(call);
    if (fault === 'lost') return { kind: 'unknown', detail: 'no answer' };
    if (fault === 'unsent') return { kind: 'unsent', detail: 'no token' };
    if (fault === 'blocked') return { kind: 'blocked', reason: 'EndpointForbidden', detail: `${NOT_CALLED}allow it` };
    if (fault === 'later') return { kind: 'ongoing', detail: WORKING_ON_IT, retryAfterMs: 50 };
    if (typeof fault !== 'string') return fault;
    const outcome = this.#fence(`${keyOf(transaction)}/${participant.name}`, participant.name, operation);
    await this.returns(call);
    return fault === 'answer-lost' ? { kind: 'unknown', detail: 'no answer' } : outcome;
  }

  #fence(row: string, branch: string, operation: Operation): Outcome {
    const state = this.rows.get(row);
    const refused = (code: string): Outcome => ({ kind: 'refused', code, detail: code });
    switch (operation) {
      case 'try':
        if (state === 'Cancelled') return refused('cancelled');
        if (state === 'Refused') return refused('refused');
        if (state === undefined && this.refusesTry(branch)) {
          this.rows.set(row, 'Refused');
          return refused('refused');
        }
        if (state === undefined) this.#effect(row, operation, 'Tried');
        return { kind: 'succeeded', ...(state === 'Confirmed' && { confirmedBefore: true }) };
      case 'confirm':
        if (state === undefined) return refused('no-try');
        if (state === 'Refused' || state === 'Cancelled') return refused(`already-${state.toLowerCase()}`);
        if (state === 'Tried') this.#effect(row, operation, 'Confirmed');
        return { kind: 'succeeded' };
      case 'cancel':
        if (state === 'Confirmed') return refused('already-confirmed');
        if (state === 'Tried') this.#effect(row, operation, 'Cancelled');
        this.rows.set(row, 'Cancelled');
        return { kind: 'succeeded' };
    }
  }

  #effect(row: string, operation: Operation, state: FenceState): void {
    this.rows.set(row, state);
    const effect = `${row}/${operation}`;
    this.effects.set(effect, (this.effects.get(effect) ?? 0) + 1);
  }
}
