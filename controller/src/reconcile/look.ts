/**
 * What this process knows of a transaction beyond the stored object, for people who ask why nothing happens (ADR 41).
 *
 * It only looks: nothing is begun, stored or woken by it. No payload and no credentials are in it.
 */
import type { Branch, Decision, Message, Phase } from '../../../crds/generated/ordertransaction.ts';
import type { Operation } from '../transaction/outcome.ts';
import type { Step, View } from '../transaction/step.ts';
import { branchesOf, messagesOf } from '../transaction/phase.ts';

export type Look =
  /** This replica's cache does not have it. */
  | { readonly kind: 'absent' }
  /** Another replica works on it. */
  | { readonly kind: 'not-ours' }
  /** It has ended, or nothing has been done for it yet by this process. */
  | { readonly kind: 'idle' }
  | ({ readonly kind: 'worked-on' } & WorkedOn);

export interface WorkedOn {
  /** The stored copy has to be read first: a write's answer did not come, or another writer was faster. */
  readonly mustRead: boolean;
  /** Consecutive reads or writes of the API server without success. */
  readonly apiFailures: number;
  /** Branches and messages with a call or publication under way. */
  readonly underWay: readonly string[];
  /** Calls that are due and wait for room at their endpoint, their turn, or a token. */
  readonly waitingForRoom: readonly { readonly branch: string; readonly operation: Operation }[];
  /** Branches whose try this process has sent, and seen end: only then a deadline counts by them. */
  readonly asked: readonly string[];
  /** Branches whose participant answers nobody: they are asked by turns, once a second. */
  readonly answersNobody: readonly string[];
  /** Branches that a person wants called at once and that have not been since. */
  readonly requested: readonly string[];
  /** Best-effort messages that their consumer still has. */
  readonly atTheirConsumer: readonly string[];
  /** Why nothing can be published; absent while the broker takes messages. */
  readonly brokerAway?: string;
  /** With the answers that came since the status was last stored. */
  readonly branches: readonly Branch[];
  readonly messages: readonly Message[];
  readonly next: NextStep;
}

export type NextStep =
  | { readonly kind: 'rest' | 'read-flow' }
  | {
      readonly kind: 'store';
      readonly why: 'decision' | 'end' | 'news';
      readonly phase?: Phase | undefined;
      readonly decision?: Decision | undefined;
    }
  | {
      readonly kind: 'act';
      readonly calls: readonly { readonly branch: string; readonly operation: Operation; readonly attempt: number }[];
      readonly publications: readonly { readonly message: string; readonly attempt: number }[];
      /** ISO 8601; absent where it waits for an answer or a change only. */
      readonly wakeAt?: string;
    };

interface Known {
  readonly mustRead: boolean;
  readonly apiFailures: number;
  readonly waiting: { values(): Iterable<{ readonly branch: string; readonly operation: Operation }> };
}

export function lookAt(work: Known, view: View, step: Step): Look {
  const names = [...branchesOf(view.status), ...messagesOf(view.status)].map(({ name }) => name);
  const those = (set: Pick<ReadonlySet<string>, 'has'>): readonly string[] => names.filter((name) => set.has(name));
  return {
    kind: 'worked-on',
    mustRead: work.mustRead,
    apiFailures: work.apiFailures,
    underWay: those(view.busy),
    waitingForRoom: [...work.waiting.values()].map(({ branch, operation }) => ({ branch, operation })),
    asked: those(view.asked),
    answersNobody: those(view.down),
    requested: those(view.requested),
    atTheirConsumer: those(view.unended),
    ...(view.brokerAway !== undefined && { brokerAway: view.brokerAway }),
    branches: branchesOf(view.status),
    messages: messagesOf(view.status),
    next: nextOf(step),
  };
}

function nextOf(step: Step): NextStep {
  switch (step.kind) {
    case 'rest':
    case 'read-flow':
      return { kind: step.kind };
    case 'store':
      return { kind: 'store', why: step.why, phase: step.status.phase, decision: step.status.decision };
    case 'act':
      return {
        kind: 'act',
        calls: step.calls.map(({ branch, operation, attempt }) => ({ branch, operation, attempt })),
        publications: step.publications.map(({ message, attempt }) => ({ message, attempt })),
        ...(step.wakeAtMs !== undefined && { wakeAt: new Date(step.wakeAtMs).toISOString() }),
      };
  }
}
