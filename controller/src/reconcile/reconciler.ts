/**
 * The reconcile loop: observe, decide, perform, record.
 *
 * One pass for one key never waits for a participant: calls are begun and their answers bring the key back, so a service
 * that hangs holds no worker. Only reads and writes of the API server are awaited, because nothing may be done before
 * they are known (T1). Any number of these loops may run at once on the same transactions (T2).
 *
 * 1. A status is stored only over exactly the copy it was decided on; after a conflict or an unknown answer the stored
 *    copy is read before anything else is done for that key.
 * 2. Nothing is sent for a transaction that this replica does not own, that is gone, or whose copy must be read first.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { MessageOutcome } from '../transaction/answers.ts';
import { conditionIsTrue, findCondition } from '../transaction/conditions.ts';
import { decide } from '../transaction/decide.ts';
import { illegalStep } from '../transaction/legality.ts';
import { isFinal } from '../transaction/phase.ts';
import { decisionDetail } from '../transaction/sentences.ts';
import { createdAtMs, type Call, type Publication, type Step } from '../transaction/step.ts';
import { BranchCalls } from './branch-calls.ts';
import { lookAt, type Look } from './look.ts';
import type {
  CallResult,
  Clock,
  FlowStore,
  Key,
  MessagePublication,
  Messages,
  Observer,
  Ownership,
  Participants,
  Schedule,
  TransactionEvents,
  TransactionStore,
} from './ports.ts';
import { Work } from './work.ts';

export interface Ports {
  readonly transactions: TransactionStore;
  readonly flows: FlowStore;
  readonly participants: Participants;
  readonly messages: Messages;
  readonly events: TransactionEvents;
  readonly ownership: Ownership;
  readonly schedule: Schedule;
  readonly observer: Observer;
  readonly clock: Clock;
  /** A random number in [0, 1). */
  readonly random: () => number;
  /** Aborted when the process stops: calls under way are given up, their answers dropped. */
  readonly stopping: AbortSignal;
}

/** More stores than this in one pass would be two rules undoing each other; the next pass goes on. */
const STORES_PER_PASS_MAX = 8;

/** Until the API server is asked again after an answer that told nothing, or a refusal. */
const API_RETRY_INITIAL_MS = 100;
const API_RETRY_MAX_MS = 10_000;

/** A flow's own default: flows may be heard of after transactions. */
const STUCK_AFTER_SECONDS = 60;

/** A faster writer costs one conflict, or two; more show that what is read does not become what is written over. */
const CONFLICTS_AT_ONCE_MAX = 3;

export class Reconciler {
  readonly #ports: Ports;
  readonly #calls: BranchCalls;
  readonly #works = new Map<Key, Work>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(ports: Ports) {
    this.#ports = ports;
    this.#calls = new BranchCalls(ports, this.#works);
    ports.stopping.addEventListener('abort', () => this.#works.forEach((work) => work.withdrawAll()), { once: true });
  }

  /** There is news of this key. Every replica hears of all: what is another's, and unknown here, wakes nobody. */
  heard(key: Key): void {
    const transaction = this.#ports.transactions.get(key);
    const isOurs = transaction !== undefined && this.#ports.ownership.owns(transaction);
    if (this.#works.has(key)) this.#ports.schedule.soon(key);
    else if (isOurs) this.wake(key, transaction);
  }

  /** After a start there may be thousands that fail, are suspended or have waited for long, and one that has just come. */
  wake(key: Key, transaction: OrderTransaction): void {
    const { status } = transaction;
    if (status?.waitingFor || conditionIsTrue(status, 'Suspended') || this.#isOld(transaction))
      this.#ports.schedule.inTurn(key);
    else this.#ports.schedule.soon(key);
  }

  /** One pass for one key; the work queue makes sure that there is only one at a time. */
  async reconcile(key: Key): Promise<void> {
    for (let stores = 0; stores < STORES_PER_PASS_MAX; stores += 1) {
      const transaction = this.#ports.transactions.get(key);
      if (!transaction) {
        this.#forget(key);
        return;
      }
      if (!this.#ports.ownership.owns(transaction)) {
        this.#setAside(key, transaction);
        return;
      }
      const work = this.#workOn(key, transaction);
      if (work.mustRead) {
        if (!(await this.#read(key, work))) return;
        continue;
      }
      const flow = this.#ports.flows.get(transaction.metadata.namespace ?? '', transaction.spec.flow);
      const around = this.#calls.surroundings(this.#ports.messages.away);
      const step = decide(work.view(transaction, flow, around), flow, around.nowMs);
      switch (step.kind) {
        case 'rest':
          this.#forget(key);
          return;
        case 'act':
          this.#begin(key, work, transaction, flow, step);
          return;
        case 'read-flow':
          if (!(await this.#readFlow(key, work, transaction))) return;
          continue;
        case 'store':
          if (!(await this.#store(key, work, transaction, flow, step))) return;
      }
    }
    this.#ports.schedule.soon(key);
  }

  /** A consumer's answer to a message; for a transaction this replica does not know it means nothing. */
  receipt(key: Key, message: string, outcome: MessageOutcome): void {
    const work = this.#works.get(key);
    if (!work) return;
    work.receive(this.#answer({ on: 'message', target: message, outcome }));
    this.#ports.schedule.soon(key);
  }

  /** What is known of it here, and what would be done next: for people who ask. Nothing happens by it. */
  look(key: Key): Look {
    const transaction = this.#ports.transactions.get(key);
    if (transaction === undefined) return { kind: 'absent' };
    if (!this.#ports.ownership.owns(transaction)) return { kind: 'not-ours' };
    const work = this.#works.get(key);
    if (work === undefined || work.uid !== transaction.metadata.uid) return { kind: 'idle' };
    const flow = this.#ports.flows.get(transaction.metadata.namespace ?? '', transaction.spec.flow);
    const around = this.#calls.surroundings(this.#ports.messages.away);
    const view = work.view(transaction, flow, around);
    return lookAt(work, view, decide(view, flow, around.nowMs));
  }

  /** The transactions of this namespace were listed anew, because it could not be shown that the store did not go back. */
  beginAnew(namespace: string): void {
    for (const [key, work] of this.#works) if (key.startsWith(`${namespace}/`)) work.beginAnew();
  }

  /** A participant answers again: who waits for the end of a back-off waits for nothing. */
  revived(): void {
    for (const [key, work] of this.#works) if (work.isRevived) this.#ports.schedule.inTurn(key);
  }

  /** Resolves once every call begun has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** How many calls and publications are under way. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** How many of those wait to be sent. */
  get waiting(): number {
    let waiting = 0;
    for (const work of this.#works.values()) waiting += work.waiting.size;
    return waiting;
  }

  /** So old that it takes too long, told or not. */
  #isOld(transaction: OrderTransaction): boolean {
    const { metadata, spec } = transaction;
    const flow = this.#ports.flows.get(metadata.namespace ?? '', spec.flow);
    const stuckAfterMs = (flow?.spec.stuckAfterSeconds ?? STUCK_AFTER_SECONDS) * 1000;
    return this.#ports.clock.now() - createdAtMs(transaction) >= stuckAfterMs;
  }

  #forget(key: Key): void {
    this.#works.get(key)?.withdrawAll();
    this.#works.delete(key);
    // Deadlines may be days away: what has ended must not wait for them in the queue.
    this.#ports.schedule.forget(key);
  }

  /**
   * Another's for now: what waits is not sent. What was answered, and what is under way, is kept until the transaction has
   * ended, should it come back before. So it is bounded by the unfinished transactions that were begun here.
   */
  #setAside(key: Key, { metadata, status }: OrderTransaction): void {
    const work = this.#works.get(key);
    work?.withdrawAll();
    this.#ports.schedule.forget(key);
    if (work && (work.uid !== metadata.uid || isFinal(status?.phase) || !work.hasSomethingToLose()))
      this.#works.delete(key);
  }

  #workOn(key: Key, transaction: OrderTransaction): Work {
    const known = this.#works.get(key);
    if (known && known.uid === transaction.metadata.uid) return known;
    known?.withdrawAll();
    const work = new Work(transaction, this.#ports.clock.now(), this.#ports.observer.takenUp());
    this.#works.set(key, work);
    return work;
  }

  async #read(key: Key, work: Work): Promise<boolean> {
    const result = await this.#ports.transactions.read(key);
    switch (result.kind) {
      case 'found':
        work.mustRead = false;
        return true;
      case 'absent':
        this.#forget(key);
        return false;
      case 'unknown':
        this.#comeBackLater(key, work);
        return false;
    }
  }

  async #readFlow(key: Key, work: Work, { metadata, spec }: OrderTransaction): Promise<boolean> {
    const { flows } = this.#ports;
    const namespace = metadata.namespace ?? '';
    if (await flows.read(namespace, spec.flow)) {
      work.flowWasRead(flows.get(namespace, spec.flow));
      return true;
    }
    this.#comeBackLater(key, work);
    return false;
  }

  #comeBackLater(key: Key, work: Work): void {
    const delayMs = Math.min(API_RETRY_INITIAL_MS * 2 ** work.apiFailures, API_RETRY_MAX_MS);
    work.apiFailures += 1;
    const jitteredMs = delayMs * (0.5 + this.#ports.random() / 2);
    this.#ports.schedule.after(key, jitteredMs);
  }

  #begin(
    key: Key,
    work: Work,
    transaction: OrderTransaction,
    flow: TransactionFlow | undefined,
    step: Extract<Step, { kind: 'act' }>,
  ): void {
    for (const call of this.#calls.sift(work, flow, step.calls)) this.#call(key, work, flow, call);
    this.#publish(key, work, transaction, flow, step.publications);
    if (step.wakeAtMs !== undefined) this.#ports.schedule.after(key, step.wakeAtMs - this.#ports.clock.now());
  }

  #call(key: Key, work: Work, flow: TransactionFlow | undefined, call: Call): void {
    const { branch, operation } = call;
    const told = (result: CallResult): void => {
      if (this.#ports.stopping.aborted) return;
      if (result.kind !== 'withdrawn') {
        work.receive(this.#answer({ on: 'branch', target: branch, operation, outcome: result }));
        if (isProgress(result) || work.owesAnswer) this.#ports.schedule.soon(key);
        else this.#ports.schedule.inTurn(key);
      } else if (this.#works.get(key) === work && !work.mustRead) {
        this.#ports.schedule.soon(key);
      }
    };
    this.#track(() => this.#calls.perform(key, work, flow, call, told));
  }

  #publish(
    key: Key,
    work: Work,
    transaction: OrderTransaction,
    flow: TransactionFlow | undefined,
    publications: readonly Publication[],
  ): void {
    const status = transaction.status ?? {};
    for (const { message, attempt } of publications) {
      const template = flow?.spec.messages?.find((each) => each.name === message);
      if (!template) throw new Error(`decide named the message ${message}, which its flow does not have`);
      const reason = status.decisionReason ?? '';
      work.publish(message, this.#ports.clock.now());
      this.#track(async () => {
        const publication = { transaction, template, attempt, reason, detail: decisionDetail(status) };
        const outcome = await this.#ports.messages.publish(publication);
        work.busy.delete(message);
        if (this.#ports.stopping.aborted) return;
        const isUnended = template.delivery === 'BestEffort' && outcome.kind === 'published';
        if (isUnended) work.unended.add(message);
        work.receive(this.#answer({ on: 'message', target: message, outcome }));
        if (outcome.kind === 'published' || work.owesAnswer) this.#ports.schedule.soon(key);
        else this.#ports.schedule.inTurn(key);
        if (isUnended) void this.#untilEnded(key, work, publication);
      });
    }
  }

  /** Not among what is under way: nobody waits for it, and it may take minutes. */
  async #untilEnded(key: Key, work: Work, publication: MessagePublication): Promise<void> {
    await this.#ports.messages.ended(publication, this.#ports.stopping);
    work.unended.delete(publication.template.name);
    if (!this.#ports.stopping.aborted && this.#works.get(key) === work) this.#ports.schedule.soon(key);
  }

  /** Begins something that brings the key back when it has ended. */
  #track(action: () => Promise<void>): void {
    const ended = action();
    this.#underWay.add(ended);
    void ended.finally(() => this.#underWay.delete(ended));
  }

  async #store(
    key: Key,
    work: Work,
    transaction: OrderTransaction,
    flow: TransactionFlow | undefined,
    step: Extract<Step, { kind: 'store' }>,
  ): Promise<boolean> {
    const illegal = illegalStep(transaction.status, step.status);
    if (illegal) throw new Error(`refused to store an illegal step of ${key}: ${illegal}`);
    const checkpoint = work.checkpoint(step, transaction);
    const result = await this.#ports.transactions.writeStatus(transaction, step.status);
    work.observer.statusWritten(step.why, result.kind);
    switch (result.kind) {
      case 'stored':
        checkpoint.stored(this.#ports.clock.now());
        if (step.status.lastHandledRetryAt !== transaction.status?.lastHandledRetryAt) {
          work.retriedAtMs = this.#ports.clock.now();
          work.request(step.status);
        }
        work.observer.stored(transaction, result.transaction);
        this.#tell(transaction, result.transaction);
        this.#publish(key, work, result.transaction, flow, step.publications);
        return true;
      case 'conflict':
      case 'gone':
        work.mustRead = true;
        work.conflicts += 1;
        if (work.conflicts <= CONFLICTS_AT_ONCE_MAX) return true;
        this.#comeBackLater(key, work);
        return false;
      case 'refused':
        this.#ports.observer.statusRefused(key, result.message);
        this.#ports.events.warn(transaction, 'StatusRefused', result.message);
        work.mustRead = true;
        this.#comeBackLater(key, work);
        return false;
      case 'unknown':
        work.mustRead = true;
        this.#comeBackLater(key, work);
        return false;
    }
  }

  #tell(before: OrderTransaction, after: OrderTransaction): void {
    if (conditionIsTrue(after.status, 'Stuck') && !conditionIsTrue(before.status, 'Stuck')) {
      const { reason = 'Stuck', message = '' } = findCondition(after.status, 'Stuck') ?? {};
      this.#ports.events.warn(after, reason, message);
    }
  }

  #answer<T extends object>(answer: T): T & { readonly atMs: number; readonly jitter: number } {
    return { ...answer, atMs: this.#ports.clock.now(), jitter: this.#ports.random() };
  }
}

/** Something can be decided by it, or the next be done. Else it is one more attempt in vain, of which there may be thousands. */
function isProgress({ kind }: CallResult): boolean {
  return kind === 'succeeded' || kind === 'refused';
}
