/**
 * Generated from crds/transactionflow.yaml by `npm run generate`; do not edit.
 *
 * These are objects as the API server returns them: a field that has a default in the CRD is always there.
 */
import type { ObjectMeta } from '../object-meta.ts';

/**
 * Confirmed: published once every branch is Confirmed. Cancelled: published once every branch is Cancelled. Immutable.
 */
export type MessageWhen = 'Confirmed' | 'Cancelled';
/**
 * Reliable: published until its consumer's receipt comes back; the transaction does not end before. BestEffort: published at most maxAttempts times and never changes an outcome. Immutable.
 */
export type Delivery = 'Reliable' | 'BestEffort';

/**
 * What a kind of transaction does: which participants are tried, then confirmed or cancelled, and which messages follow.
 *
 * An OrderTransaction names its flow in spec.flow; the flow is found in the transaction's namespace. Names and paths of participants never change, because transactions in flight depend on them: a different set of participants is a new flow. Endpoints, timeouts and retry take effect at once, also for transactions in flight.
 * The finalizer ordertx.dev/in-use holds back a deletion until the flow's earlier transactions have ended.
 */
export interface TransactionFlow {
  readonly apiVersion: 'ordertx.dev/v1alpha1';
  readonly kind: 'TransactionFlow';
  readonly metadata: ObjectMeta;
  readonly spec: TransactionFlowSpec;
  readonly status?: TransactionFlowStatus;
}
/**
 * Participants, messages and times of this kind of transaction.
 */
export interface TransactionFlowSpec {
  /**
   * How long after a transaction's creation an answer to a try may be missing before the decision is Cancel. If every try is answered, the decision is Confirm however late.
   */
  readonly timeoutSeconds: number;
  /**
   * How long a transaction may be unfinished before it is Stuck, which is a call for a person and ends nothing.
   */
  readonly stuckAfterSeconds: number;
  /**
   * How long a finished transaction is kept before it is removed.
   */
  readonly ttlSecondsAfterFinished: number;
  /**
   * What is on hold for maintenance: the name of a participant or of a message, and why, in words that its transactions show.
   *
   * Nothing is sent to it for any transaction of this flow, earlier ones and later ones; no attempt is counted, and what waits for nothing else is not Stuck. Deadlines run on: an undecided transaction whose try is held is cancelled when its deadline comes. What is under way when the hold is set ends as it ends. Once the name is removed, all that waited goes on at once.
   * Set: kubectl patch txflow NAME --type=merge -p '{"spec":{"hold":{"inventory":"stock count"}}}'. Release: the same with null instead of the reason.
   */
  readonly hold?: {
    readonly [k: string]: string;
  };
  readonly retry: Retry;
  /**
   * The services that take part, each with one branch. Names and paths are immutable, none can be added or removed.
   */
  readonly participants: readonly Participant[];
  /**
   * The messages that follow a decision. Append-only. A transaction's messages are those its decision wrote to its status, so one that is added here later does not concern transactions decided before.
   */
  readonly messages?: readonly MessageTemplate[];
}
/**
 * The back-off between attempts of a call or a message, jittered. It has no end: confirms, cancels and reliable messages are repeated until they succeed.
 */
export interface Retry {
  /**
   * The delay after the first attempt.
   */
  readonly initialDelaySeconds: number;
  /**
   * The longest delay, also the longest Retry-After that is honoured.
   */
  readonly maxDelaySeconds: number;
  /**
   * By what each delay exceeds the one before.
   */
  readonly factor: number;
}
/**
 * One service that takes part, and how it is called.
 */
export interface Participant {
  /**
   * The branch's name in every transaction of this flow. Immutable.
   */
  readonly name: string;
  readonly endpoint: Endpoint;
  /**
   * POST goes to <endpoint><path>/try, /confirm and /cancel. Immutable.
   */
  readonly path: string;
  /**
   * How long one call may take before its answer counts as unknown.
   */
  readonly timeoutSeconds: number;
  /**
   * How many calls one controller replica has under way to this endpoint at once.
   */
  readonly maxConcurrency: number;
}
/**
 * Where it is, like a webhook's clientConfig: exactly one of service and url. A url, or a service in another namespace, is only called if the controller's --allow-endpoints lists it; else its transactions are Stuck (EndpointForbidden).
 */
export interface Endpoint {
  /**
   * A Service of this cluster, called over http.
   */
  readonly service?: {
    /**
     * Name of the Service.
     */
    readonly name: string;
    /**
     * Its namespace; the flow's own if absent.
     */
    readonly namespace?: string;
    /**
     * Port of the Service.
     */
    readonly port: number;
  };
  /**
   * An http or https address that the path is appended to, for services outside the cluster and for development.
   */
  readonly url?: string;
}
/**
 * One message that transactions of this flow publish.
 */
export interface MessageTemplate {
  /**
   * The message's name in every transaction of this flow; never a participant's name. Immutable.
   */
  readonly name: string;
  readonly when: MessageWhen;
  /**
   * It goes to the Redis stream ordertx:messages:<stream>, whose consumer group has the same name. Immutable.
   */
  readonly stream: string;
  /**
   * The CloudEvents type, for example stock.outbound. Immutable.
   */
  readonly type: string;
  readonly delivery: Delivery;
  /**
   * How often a BestEffort message is published at most; required there, and only there.
   */
  readonly maxAttempts?: number;
}
/**
 * What the controller has to say about this flow. A flow works without any.
 */
export interface TransactionFlowStatus {
  /**
   * The metadata.generation that this status takes into account.
   */
  readonly observedGeneration?: number;
  /**
   * Standard Kubernetes conditions, one per type. RemovalFailing: True while ended transactions stay because they cannot be removed, or archived before; absent where it never was so.
   */
  readonly conditions?: readonly FlowCondition[];
}
/**
 * One condition.
 */
export interface FlowCondition {
  /**
   * What it is about, one CamelCase word.
   */
  readonly type: string;
  /**
   * Whether it holds.
   */
  readonly status: 'True' | 'False' | 'Unknown';
  /**
   * One CamelCase word for programs.
   */
  readonly reason: string;
  /**
   * One sentence for people.
   */
  readonly message?: string;
  /**
   * When status last changed.
   */
  readonly lastTransitionTime: string;
  /**
   * The metadata.generation this was said of.
   */
  readonly observedGeneration?: number;
}
