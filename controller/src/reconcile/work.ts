/**
 * What this process knows of a transaction beyond the stored object.
 *
 * All of it may be lost at any moment: a restarted controller begins with nothing, repeats calls that the fence makes
 * harmless, and comes to the same end (T3).
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { Participant, TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { Answer } from '../transaction/answers.ts';
import { applyOutcomes, withBranches } from '../transaction/apply-outcomes.ts';
import type { Operation, Outcome } from '../transaction/outcome.ts';
import { unheardAsUntried } from '../transaction/stored-answers.ts';
import { isAboutHold, waitsOnlyForHold } from '../transaction/hold.ts';
import { endsWhatPeopleEnd, quietAfterWrite, quietAtStart, writeEveryMs } from '../transaction/notice.ts';
import { branchesOf, branchIsOpen, messageIsOpen, messagesOf } from '../transaction/phase.ts';
import { dueNow } from '../transaction/requests.ts';
import { createdAtMs, type Step, type View } from '../transaction/step.ts';
import { FewMap, FewSet } from './few.ts';
import type { CallResult, Health, Participants, TransactionObserver } from './ports.ts';

/** A call that is due and not sent yet. */
export interface WaitingCall {
  readonly branch: string;
  readonly operation: Operation;
  readonly overdue: boolean;
  readonly requested: boolean;
  /** As it was when the call began to wait. */
  readonly participant: Participant;
  readonly withdrawal: AbortController;
}

/** What concerns a transaction and is not its own. */
export interface Surroundings {
  readonly brokerAway: string | undefined;
  readonly health: Participants['health'];
  /** How many this process works on. */
  readonly unfinished: number;
  readonly nowMs: number;
}

/**
 * A creation is dated in whole seconds, rounded down, by a clock that is known to about a second: what was created later than
 * this after an endpoint was found to answer nobody was certainly created after it.
 */
const CREATED_AFTER_MS = 1_000;

export class Work {
  readonly uid: string | undefined;
  readonly #namespace: string;
  readonly observer: TransactionObserver;
  /** Branches and messages with a call or publication under way. */
  readonly busy = new FewSet<string>();
  /** By branch: calls that wait for their place, or for a token. */
  readonly waiting = new FewMap<WaitingCall>();
  /** Best-effort messages whose last publication its consumer has not ended yet. */
  readonly unended = new FewSet<string>();
  /** Branches whose try was sent by this process and ended, however. */
  readonly asked = new FewSet<string>();
  /** Those, and the ones whose try could not be sent. */
  readonly attempted = new FewSet<string>();
  /** Branches that are stored as Tried by this process, which has heard it from their participants. */
  readonly #heard = new FewSet<string>();
  /** When a retry request was last acted on. */
  retriedAtMs: number | undefined;
  /** A write's answer did not come, or another writer was faster: the stored copy is read before anything is done (T1). */
  mustRead = false;
  /** Consecutive reads or writes of the API server without success. */
  apiFailures = 0;
  /** Consecutive writes that met another copy than the one they were made from. */
  conflicts = 0;
  readonly #sent = new FewSet<WaitingCall>();
  /** Of those, the ones that went out before the store may have gone back. */
  readonly #outlived = new FewSet<WaitingCall>();
  /** The flow's version at each branch's last call, and when another one was first called under. */
  readonly #calledUnder = new FewMap<{ readonly version: string; readonly changedAtMs: number | undefined }>();
  /** How often each branch's endpoint had come back when it was last called. */
  readonly #calledIn = new FewMap<number>();
  /** Branches whose participant has said when it wants to be asked again: neither turns nor its coming back change that. */
  readonly #toldWhen = new FewSet<string>();
  readonly #requested = new FewSet<string>();
  /** What the flow had on hold when it was last looked at. */
  #held: readonly string[] | undefined;
  readonly #released = new FewSet<string>();
  /** When something was last called or published because it was released. */
  readonly #actedOnReleaseMs = new FewMap<number>();
  #heldUntilMs: number | undefined;
  #health: Surroundings['health'] | undefined;
  #storedAtMs: number;
  /** By when the writes of trouble so far are made up for. */
  #quietUntilMs: number;
  #writeEveryMs = writeEveryMs(1);
  #wellSinceMs: number | undefined;
  /** Branches and messages with an attempt that a person asked for, until it is answered. */
  readonly #asksForAnswer = new FewSet<string>();
  #owesAnswer = false;
  /** Not yet in the stored status. */
  #answers: readonly Answer[] = [];
  /** What the API server had of the flow when it was last asked; undefined where it was not, or more was heard since. */
  #flowAsRead: { readonly flow: TransactionFlow | undefined } | undefined;
  /** The flow as last seen: answers that came are applied by it also when it has gone since. */
  #flow: TransactionFlow | undefined;

  constructor(transaction: OrderTransaction, nowMs: number, observer: TransactionObserver) {
    this.uid = transaction.metadata.uid;
    this.#namespace = transaction.metadata.namespace ?? '';
    this.observer = observer;
    this.#storedAtMs = nowMs;
    this.#quietUntilMs = quietAtStart(transaction, nowMs);
  }

  view(transaction: OrderTransaction, flow: TransactionFlow | undefined, around: Surroundings): View {
    this.#flow = flow ?? this.#flow;
    if (this.#flowAsRead?.flow !== flow) this.#flowAsRead = undefined;
    this.#health = around.health;
    this.#writeEveryMs = writeEveryMs(around.unfinished);
    this.#noteHold(transaction, around.nowMs);
    this.#askAgainShouldTheStoreGoBack(transaction);
    const believed = unheardAsUntried(transaction.status ?? {}, this.#heard);
    // A branch that was called is one of its branches, also should the flow have come back without it meanwhile (T9).
    const stored = withBranches(believed, this.#calledUnder.keys());
    const status = this.#dueByRequest(this.#flow ? applyOutcomes(stored, this.#answers, this.#flow) : stored);
    if (this.#flow && waitsOnlyForHold({ transaction, status }, this.#flow)) this.#heldUntilMs = around.nowMs;
    this.#noteRecovery(transaction.status, status, around.nowMs);
    return {
      transaction,
      status,
      busy: this.busy,
      unended: this.unended,
      brokerAway: around.brokerAway,
      waiting: this.waiting,
      asked: this.asked,
      attempted: this.attempted,
      flowIsRead: this.#flowAsRead !== undefined,
      retriedAtMs: this.retriedAtMs,
      outdated: this.#outdated(),
      released: new Map([...this.#released].map((name) => [name, this.#actedOnReleaseMs.get(name)])),
      heldUntilMs: this.#heldUntilMs,
      down: { has: (branch) => this.#downForMs(branch) !== undefined && !this.#toldWhen.has(branch) },
      deafToAll: {
        has: (branch) => createdAtMs(transaction) - CREATED_AFTER_MS > around.nowMs - (this.#downForMs(branch) ?? 0),
      },
      revived: { has: (branch) => this.#hasComeBack(branch) },
      requested: this.#requested,
      storedAtMs: this.#storedAtMs,
      writeEveryMs: this.#writeEveryMs,
      quietUntilMs: this.#quietUntilMs,
      wellSinceMs: this.#wellSinceMs,
      owesAnswer: this.#owesAnswer,
    };
  }

  #noteRecovery(stored: OrderTransactionStatus | undefined, status: OrderTransactionStatus, nowMs: number): void {
    const isWell = stored?.waitingFor !== undefined && stored.waitingFor !== '' && !status.waitingFor;
    this.#wellSinceMs = isWell ? (this.#wellSinceMs ?? nowMs) : undefined;
  }

  /** The API server was asked for the flow, and this is what it has. */
  flowWasRead(flow: TransactionFlow | undefined): void {
    this.#flowAsRead = { flow };
    this.apiFailures = 0;
  }

  /** A hold that another process has seen stands in the stored sentence: what is released since is so from the first look on. */
  #noteHold({ status }: OrderTransaction, nowMs: number): void {
    const held = this.#flow?.spec.hold ?? {};
    const before = this.#held ?? (isAboutHold(status?.message) ? namesOf(status) : []);
    const wereReleased = this.#released.size;
    for (const name of before) if (!Object.hasOwn(held, name)) this.#released.add(name);
    this.#held = Object.keys(held);
    for (const name of this.#held) this.#released.delete(name);
    if (this.#released.size > wereReleased) this.#heldUntilMs = nowMs;
  }

  #healthOf(branch: string): Health | undefined {
    const participant = this.#flow?.spec.participants.find(({ name }) => name === branch);
    return participant && this.#health?.(this.#namespace, participant);
  }

  #downForMs(branch: string): number | undefined {
    return this.#healthOf(branch)?.downForMs;
  }

  #revivals(branch: string): number {
    return this.#healthOf(branch)?.revivals ?? 0;
  }

  /**
   * A person wants all that is open called at once, and to know what is answered. What is under way just now was sent before, perhaps to
   * what has been mended since: it is called once more when that has ended.
   */
  request(status: OrderTransactionStatus): void {
    const open = branchesOf(status).filter((branch) => branchIsOpen(branch, status.decision));
    for (const { name } of open) {
      this.#asksForAnswer.add(name);
      this.#requested.add(name);
    }
    if (open.length > 0 || status.decision === undefined) return;
    for (const message of messagesOf(status)) if (messageIsOpen(message)) this.#asksForAnswer.add(message.name);
  }

  /** A person waits for what was answered to the attempt that he asked for: it is not stored yet. */
  get owesAnswer(): boolean {
    return this.#owesAnswer;
  }

  /** Until the attempt that was asked for is answered no back-off counts: whoever waits for that answer knows it by the next time. */
  #dueByRequest(status: OrderTransactionStatus): OrderTransactionStatus {
    if (this.#asksForAnswer.size === 0 || status.branches === undefined) return status;
    const branches = status.branches.map((branch) => (this.#asksForAnswer.has(branch.name) ? dueNow(branch) : branch));
    return { ...status, branches };
  }

  /** Whether a participant of its flow has come back since it was last called for it. */
  get isRevived(): boolean {
    return this.#flow?.spec.participants.some(({ name }) => this.#hasComeBack(name)) === true;
  }

  #hasComeBack(branch: string): boolean {
    return this.#revivals(branch) > (this.#calledIn.get(branch) ?? 0) && !this.#toldWhen.has(branch);
  }

  /**
   * Whose answer is stored needs no asking; a copy that lacks it again, or the decision that came of it, was put back: then what
   * was heard says nothing, and no deadline counts before it was asked.
   */
  #askAgainShouldTheStoreGoBack({ status }: OrderTransaction): void {
    if (status?.decision !== undefined) this.#heard.clear();
    for (const { name, state } of status?.branches ?? []) {
      if (state === 'Untried') this.#heard.delete(name);
      else if (status?.decision !== undefined || this.#heard.has(name)) this.asked.delete(name);
    }
  }

  /** It goes out now, by the flow as it was last viewed. */
  send(call: WaitingCall, nowMs: number): void {
    this.waiting.delete(call.branch);
    this.busy.add(call.branch);
    this.#sent.add(call);
    this.#called(call.branch, nowMs);
    this.#calledIn.set(call.branch, this.#revivals(call.branch));
  }

  publish(message: string, nowMs: number): void {
    this.busy.add(message);
    this.#actedOnRelease(message, nowMs);
  }

  /**
   * It has ended, sent or not; what was not sent and not withdrawn either had its answer from the flow as last viewed.
   *
   * @returns whether its answer may be of a life that the store has forgotten
   */
  end(call: WaitingCall, result: CallResult, nowMs: number): boolean {
    const { branch } = call;
    if (this.waiting.get(branch) === call) this.waiting.delete(branch);
    if (this.#sent.delete(call)) this.busy.delete(branch);
    else if (result.kind !== 'withdrawn') this.#called(branch, nowMs);
    if (result.kind === 'withdrawn') return this.#outlived.delete(call);
    // An answer is as new as what is known of its endpoint by it; none is as old as its call.
    if (result.kind !== 'unknown') this.#calledIn.set(branch, this.#revivals(branch));
    if ('retryAfterMs' in result && result.retryAfterMs !== undefined) this.#toldWhen.add(branch);
    else this.#toldWhen.delete(branch);
    return this.#outlived.delete(call);
  }

  withdraw(call: WaitingCall): void {
    if (this.waiting.get(call.branch) === call) this.waiting.delete(call.branch);
    call.withdrawal.abort();
  }

  withdrawAll(): void {
    for (const call of this.waiting.values()) this.withdraw(call);
  }

  /** A try of this branch has ended. What was never sent has asked nobody, so no deadline counts by it (T5). */
  tried(branch: string, outcome: Outcome): void {
    this.attempted.add(branch);
    if (outcome.kind !== 'unsent' && outcome.kind !== 'blocked') this.asked.add(branch);
  }

  #actedOnRelease(target: string, nowMs: number): void {
    if (this.#released.delete(target)) this.#actedOnReleaseMs.set(target, nowMs);
  }

  #called(branch: string, nowMs: number): void {
    this.#requested.delete(branch);
    this.#actedOnRelease(branch, nowMs);
    const version = versionOf(this.#flow);
    const last = this.#calledUnder.get(branch);
    if (last?.version === version) return;
    this.#calledUnder.set(branch, { version, changedAtMs: last && nowMs });
  }

  #outdated(): ReadonlyMap<string, number | undefined> {
    const version = versionOf(this.#flow);
    const outdated = [...this.#calledUnder].filter(([, last]) => last.version !== version);
    return new Map(outdated.map(([branch, { changedAtMs }]) => [branch, changedAtMs]));
  }

  /** A new Work for the same transaction would have to ask again what this one has been told, or is about to be. */
  hasSomethingToLose(): boolean {
    return this.busy.size > 0 || this.#answers.length > 0 || this.mustRead;
  }

  receive(answer: Answer): void {
    this.#answers = this.#answers.concat([answer]);
    // That a message is published says nothing yet of its consumer.
    if (answer.on === 'message' && answer.outcome.kind === 'published') return;
    // It was under way when a person asked: unless it has done what was to be done, the next one answers.
    if (this.#requested.has(answer.target) && answer.outcome.kind !== 'succeeded') return;
    this.#requested.delete(answer.target);
    if (this.#asksForAnswer.delete(answer.target)) this.#owesAnswer = true;
  }

  /**
   * The store may have gone back: what was answered before says nothing about the life that begins anew there. Above all
   * each branch is asked once more before a deadline counts (T5). What is under way goes on, and is asked for again.
   */
  beginAnew(): void {
    this.#answers = [];
    for (const call of this.#sent) this.#outlived.add(call);
    this.#heard.clear();
    this.asked.clear();
    this.attempted.clear();
  }

  /** To be called before a write: `stored` takes off what that write has carried, and keeps what came meanwhile. */
  checkpoint(
    { why, publications, status }: Extract<Step, { kind: 'store' }>,
    before: OrderTransaction,
  ): { stored: (nowMs: number) => void } {
    const carried = this.#answers.length;
    return {
      stored: (nowMs) => {
        const isAnew = endsWhatPeopleEnd(before.status, status);
        // What was decided begins its own trouble, which is told at once as the first was. So does what people have let go on.
        if (why === 'decision' || isAnew) this.#quietUntilMs = 0;
        // What counts a publication tells no trouble, and neither does that something is over.
        if (why === 'news' && publications.length === 0 && !(isAnew && !status.waitingFor)) {
          const account = { quietUntilMs: this.#quietUntilMs, everyMs: this.#writeEveryMs };
          this.#quietUntilMs = quietAfterWrite(account, this.uid, nowMs);
        }
        if (this.#answers.length === carried) this.#owesAnswer = false;
        for (const answer of this.#answers.slice(0, carried)) if (saysTried(answer)) this.#heard.add(answer.target);
        this.#answers = this.#answers.slice(carried);
        this.#storedAtMs = nowMs;
        this.apiFailures = this.conflicts = 0;
      },
    };
  }
}

function namesOf(status: OrderTransactionStatus = {}): readonly string[] {
  return [...branchesOf(status), ...messagesOf(status)].map(({ name }) => name);
}

function saysTried(answer: Answer): boolean {
  return answer.on === 'branch' && answer.operation === 'try' && answer.outcome.kind === 'succeeded';
}

const versionsByFlow = new WeakMap<TransactionFlow, string>();

/** Generations begin anew with a flow that was deleted and created again. Thousands keep it: there is one text for each copy of a flow. */
function versionOf(flow: TransactionFlow | undefined): string {
  if (flow === undefined) return '';
  const known = versionsByFlow.get(flow);
  if (known !== undefined) return known;
  const version = `${flow.metadata.uid ?? ''}/${flow.metadata.generation ?? ''}`;
  versionsByFlow.set(flow, version);
  return version;
}
