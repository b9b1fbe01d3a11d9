/**
 * Calls to participants: begun, kept while they wait to be sent, withdrawn when nobody wants them any more.
 *
 * 1. A branch has at most one call from this process, waiting or sent.
 * 2. A waiting call is wanted for as long as decide names it. Every pass asks, and so does whoever sends it, right before
 *    it goes out, of the newest copies of transaction and flow: it is not sent after a suspension, a resolution, an end or
 *    a decision that has no use for it, nor to an endpoint that the flow has no longer.
 * 3. Nothing is sent for a transaction that this replica does not own, that is gone, or whose copy must be read first.
 * 4. A call that was withdrawn is no answer: it changes no status and counts neither as attempt nor as asked (T5). Nor does a
 *    try that was under way when the store may have gone back: its answer may be older than a cancel that is lost there.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { Participant, TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { decide } from '../transaction/decide.ts';
import { branchesOf } from '../transaction/phase.ts';
import { decisionDetail } from '../transaction/sentences.ts';
import type { Call, View } from '../transaction/step.ts';
import type {
  BranchCall,
  CallResult,
  Clock,
  FlowStore,
  Key,
  Ownership,
  Participants,
  TransactionStore,
} from './ports.ts';
import type { Surroundings, WaitingCall, Work } from './work.ts';

export interface CallPorts {
  readonly transactions: TransactionStore;
  readonly flows: FlowStore;
  readonly participants: Participants;
  readonly ownership: Ownership;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
}

/** More pieces of news than this before one call would be two rules undoing each other. */
const NEWS_MAX = 8;

export class BranchCalls {
  readonly #ports: CallPorts;
  readonly #works: ReadonlyMap<Key, Work>;
  /** One for all: what each transaction had of its own would keep the copy alive that it was made for. */
  readonly #health: Participants['health'];

  /** @param works what the process knows by now */
  constructor(ports: CallPorts, works: ReadonlyMap<Key, Work>) {
    this.#ports = ports;
    this.#works = works;
    this.#health = (namespace, participant) => ports.participants.health(namespace, participant);
  }

  surroundings(brokerAway: string | undefined): Surroundings {
    return { brokerAway, health: this.#health, unfinished: this.#works.size, nowMs: this.#ports.clock.now() };
  }

  /** Withdraws what waits and is not among `calls`, or is by now another call; returns those that have to be begun. */
  sift(work: Work, flow: TransactionFlow | undefined, calls: readonly Call[]): readonly Call[] {
    for (const waiting of work.waiting.values()) {
      const call = calls.find(({ branch }) => branch === waiting.branch);
      if (!call || !isStill(waiting, call, participantOf(flow, call))) work.withdraw(waiting);
    }
    return calls.filter(({ branch }) => !work.waiting.has(branch));
  }

  /**
   * @param told in the moment it ends, so that no pass comes between the end and the answer. A `withdrawn` one was found
   *   needless when it was its turn: the next pass knows more.
   */
  async perform(
    key: Key,
    work: Work,
    flow: TransactionFlow | undefined,
    call: Call,
    told: (result: CallResult) => void,
  ): Promise<void> {
    const { branch, operation, overdue, requested } = call;
    const participant = participantOf(flow, call);
    const wanted = { branch, operation, overdue, requested, participant };
    const waiting: WaitingCall = { ...wanted, withdrawal: new AbortController() };
    work.waiting.set(branch, waiting);
    const request = {
      current: () => this.#current(key, work, waiting),
      sent: () => work.send(waiting, this.#ports.clock.now()),
      withdrawn: waiting.withdrawal.signal,
    };
    const answer = await this.#ports.participants.call(request, this.#ports.stopping);
    const isOutlived = work.end(waiting, answer, this.#ports.clock.now());
    const result: CallResult = operation === 'try' && isOutlived ? { kind: 'withdrawn' } : answer;
    if (operation === 'try' && result.kind !== 'withdrawn') work.tried(branch, result);
    if (!waiting.withdrawal.signal.aborted) told(result);
  }

  #current(key: Key, work: Work, waiting: WaitingCall): BranchCall | undefined {
    if (work.waiting.get(waiting.branch) !== waiting || work.mustRead || this.#works.get(key) !== work)
      return undefined;
    const transaction = this.#ports.transactions.get(key);
    if (!transaction || transaction.metadata.uid !== work.uid) return undefined;
    if (!this.#ports.ownership.owns(transaction)) return undefined;
    const flow = this.#ports.flows.get(transaction.metadata.namespace ?? '', transaction.spec.flow);
    // No call depends on the broker.
    const nowMs = this.#ports.clock.now();
    const named = callsNamed(work.view(transaction, flow, this.surroundings(undefined)), flow, nowMs);
    const call = named.find(({ branch, operation }) => branch === waiting.branch && operation === waiting.operation);
    return call && { ...toldWith(transaction), ...call, transaction, participant: participantOf(flow, call) };
  }
}

/** What decide has called once the news it wants stored before are stored. A decision or an end is not guessed at. */
function callsNamed(view: View, flow: TransactionFlow | undefined, nowMs: number): readonly Call[] {
  let seen = view;
  for (let news = 0; news < NEWS_MAX; news += 1) {
    const step = decide(seen, flow, nowMs);
    if (step.kind === 'act') return step.calls;
    if (step.kind !== 'store' || step.why !== 'news') return [];
    const transaction = { ...seen.transaction, status: step.status };
    seen = { ...seen, transaction, status: withStatesOf(seen.status, step.status), storedAtMs: nowMs };
  }
  return [];
}

/** News are stored with the answers that are stored already; what is believed of them does not change by that (stored-answers.ts). */
function withStatesOf(seen: OrderTransactionStatus, status: OrderTransactionStatus): OrderTransactionStatus {
  const states = new Map(branchesOf(seen).map(({ name, state }) => [name, state]));
  if (branchesOf(status).length === 0) return status;
  return {
    ...status,
    branches: branchesOf(status).map((branch) => ({ ...branch, state: states.get(branch.name) ?? branch.state })),
  };
}

/** A participant is told reason and detail of the decision it carries out. */
function toldWith({ status = {} }: OrderTransaction): Pick<BranchCall, 'reason' | 'detail'> {
  if (status.decision === undefined) return {};
  return { reason: status.decisionReason ?? '', detail: decisionDetail(status) };
}

/** Its place in the queue is kept, unless the place is at another endpoint, under another limit, or more urgent by now. */
function isStill(waiting: WaitingCall, call: Call, participant: Participant): boolean {
  if (waiting.operation !== call.operation) return false;
  if (waiting.overdue !== call.overdue || waiting.requested !== call.requested) return false;
  const known = waiting.participant;
  return (
    known === participant ||
    (known.maxConcurrency === participant.maxConcurrency &&
      JSON.stringify(known.endpoint) === JSON.stringify(participant.endpoint))
  );
}

function participantOf(flow: TransactionFlow | undefined, { branch }: Call): Participant {
  const participant = flow?.spec.participants.find(({ name }) => name === branch);
  if (!participant) throw new Error(`decide named the branch ${branch}, which its flow does not have`);
  return participant;
}
