/**
 * What is in no incident and still nobody should overlook: what people have put on hold, and what nobody works on, because no controller
 * is there who could say that anything fails.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { conditionIsTrue } from '../src/transaction/conditions.ts';
import { isAboutHold } from '../src/transaction/hold.ts';
import { isFinal } from '../src/transaction/phase.ts';
import { createdAtMs } from '../src/transaction/step.ts';
import { counted } from './output/table.ts';
import { hasTarget } from './reach.ts';
import type { Filter } from './selection.ts';
import type { Session } from './session.ts';

export interface Hold {
  readonly namespace: string;
  readonly flow: string;
  readonly target: string;
  /** Empty where the flow may not be read. */
  readonly reason: string;
  readonly waiting: number;
}

/** As a flow has it that says nothing else. */
const STUCK_AFTER_MS_DEFAULT = 60_000;
/** A controller says that something takes too long in that very second; one that is slow, or has many, still within this. */
const GRACE_MS = 60_000;

export class Beside {
  readonly #flows: readonly TransactionFlow[];
  readonly #held = new Map<string, Hold>();
  #untouched = 0;

  /** @param flows those that may be read */
  constructor(flows: readonly TransactionFlow[]) {
    this.#flows = flows;
    this.forget();
  }

  /** Everything is looked at anew. */
  forget(): void {
    this.#untouched = 0;
    this.#held.clear();
    for (const { metadata, spec } of this.#flows) {
      for (const [target, reason] of Object.entries(spec.hold ?? {})) {
        this.#hold({ namespace: metadata.namespace ?? '', flow: metadata.name, target, reason, waiting: 0 });
      }
    }
  }

  look(transaction: OrderTransaction, nowMs: number): void {
    const { metadata, spec, status } = transaction;
    if (isFinal(status?.phase)) return;
    const { namespace = '' } = metadata;
    if (isAboutHold(status?.message)) {
      const target = status?.waitingFor ?? '';
      const known = this.#held.get(keyOf(namespace, spec.flow, target));
      this.#hold({
        ...(known ?? { namespace, flow: spec.flow, target, reason: '' }),
        waiting: (known?.waiting ?? 0) + 1,
      });
    } else if (this.#isUntouched(transaction, nowMs)) this.#untouched += 1;
  }

  get untouched(): number {
    return this.#untouched;
  }

  holds({ flow, target, incident }: Filter): readonly Hold[] {
    if (incident !== undefined) return [];
    return [...this.#held.values()].filter(
      (hold) => (flow === undefined || hold.flow === flow) && (target === undefined || hold.target === target),
    );
  }

  #hold(hold: Hold): void {
    this.#held.set(keyOf(hold.namespace, hold.flow, hold.target), hold);
  }

  #isUntouched(transaction: OrderTransaction, nowMs: number): boolean {
    const { spec, status } = transaction;
    if (spec.suspend || Boolean(status?.waitingFor) || conditionIsTrue(status, 'Stuck')) return false;
    const stuckAfterMs = this.#flowOf(transaction)?.spec.stuckAfterSeconds;
    const afterMs = stuckAfterMs === undefined ? STUCK_AFTER_MS_DEFAULT : stuckAfterMs * 1_000;
    return nowMs > createdAtMs(transaction) + afterMs + GRACE_MS;
  }

  #flowOf({ metadata, spec }: OrderTransaction): TransactionFlow | undefined {
    return flowIn(this.#flows, metadata.namespace ?? '', spec.flow);
  }
}

function keyOf(...parts: readonly string[]): string {
  return JSON.stringify(parts);
}

export function flowIn(
  flows: readonly TransactionFlow[],
  namespace: string,
  name: string,
): TransactionFlow | undefined {
  return flows.find(({ metadata }) => metadata.name === name && (metadata.namespace ?? '') === namespace);
}

export function holdSentence(session: Session, { namespace, flow, target, reason, waiting }: Hold): string {
  const inAll = session.namespace === undefined;
  const why = reason === '' ? '' : ` (${reason})`;
  const where = inAll ? ` of the namespace ${namespace}` : '';
  return (
    `On hold, and in no row: ${target} in the flow ${flow}${where}${why}; ${counted(waiting, 'transaction')} of it ${waiting === 1 ? 'waits' : 'wait'} for it, ` +
    `and what is undecided at its deadline is cancelled. kubectl ordertx release ${inAll ? `-n ${namespace} ` : ''}${flow} --target ${target}`
  );
}

/** @param leaseless whose Leases are there, and none is held */
export function unattendedSentence(untouched: number, leaseless: 'every' | readonly string[]): string {
  const whose = leaseless === 'every' ? '' : ` of ${leaseless.join(' or ')}`;
  const parts = [
    ...(leaseless.length > 0 ? [`no controller${whose} holds its Lease any more`] : []),
    ...(untouched > 0
      ? [`${counted(untouched, 'transaction')} should have ended or be Stuck by now, and nothing says why not`]
      : []),
  ];
  return `${parts.join('; ')}: is a controller running? kubectl ordertx check`;
}

/** Who reads a message's stream: the flow says it, and whoever is to mend it looks for a service. */
export function streamOf(flow: TransactionFlow | undefined, target: string): string | undefined {
  if (flow === undefined || !hasTarget(flow, target)) return undefined;
  return (flow.spec.messages ?? []).find(({ name }) => name === target)?.stream;
}
