/**
 * The controller's real instrumentation, fed with what it is told while many transactions of many flows go by.
 *
 * Nothing is called or stored: what is looked at is what /metrics makes of it.
 */
import type { OrderTransaction } from '../../../../crds/generated/ordertransaction.ts';
import { createLog } from '../../../../services/kit/src/log.ts';
import { OTHERS } from '../../../../services/metrics/src/bounded-label.ts';
import { instrumentation, type Instrumentation } from '../instrumentation.ts';
import { ControllerMetrics } from '../metrics.ts';

export { OTHERS };
export const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
const OUTCOMES = ['succeeded', 'refused', 'ongoing', 'unknown'] as const;

export interface FedOptions {
  readonly transactions?: readonly OrderTransaction[];
  readonly owns?: (transaction: OrderTransaction) => boolean;
  readonly flowExists?: (namespace: string, flow: string) => boolean;
  readonly breakers?: ReadonlyMap<string, 'open' | 'closed'>;
  readonly windows?: ReadonlyMap<string, number>;
}

export class FedMetrics {
  readonly metrics = new ControllerMetrics();
  readonly observe: Instrumentation;
  /** On the monotonic clock. */
  ms = 0;

  constructor(options: FedOptions = {}) {
    this.observe = instrumentation({
      metrics: this.metrics,
      log: createLog({ name: 'fed', level: 'silent' }),
      controller: 'ordertransaction',
      clock: { monotonicMs: () => this.ms },
      traceIdOf: ({ metadata }) => metadata.uid?.replaceAll('-', '') ?? '',
    });
    this.metrics.observe('ordertransaction', {
      transactions: () => options.transactions ?? [],
      owns: options.owns ?? (() => true),
      flowExists: options.flowExists ?? (() => true),
      isOnHold: ({ status }) => status?.message?.startsWith('on hold: ') === true,
      holds: () => [],
      nowMs: () => NOW_MS,
      monotonicMs: () => this.ms,
      forbiddenNamespaces: () => [],
      informerAgesMs: () => ({ OrderTransaction: 10, TransactionFlow: 10 }),
      queue: () => ({ depth: 0, delayed: 0, longestRunningMs: 0 }),
      callsUnderWay: () => 0,
      callsWaiting: () => 0,
      removalOverdueMs: () => 0,
      breakers: () => options.breakers ?? new Map(),
      windows: () => options.windows ?? new Map(),
    });
  }

  /** One transaction's whole life, all that is measured of it. */
  live(number: number, flow: string, targets: readonly string[]): void {
    const { observe } = this;
    const decision = number % 7 === 0 ? 'Cancel' : 'Confirm';
    const started = transactionOf(number, flow);
    const told = observe.observer.takenUp();
    observe.queue.added();
    observe.queue.waited(0.001);
    for (const participant of targets) {
      for (const operation of ['try', decision === 'Confirm' ? 'confirm' : 'cancel'] as const) {
        const outcome = OUTCOMES[number % OUTCOMES.length] ?? 'succeeded';
        observe.call({ participant, operation, outcome, seconds: (number % 1_000) / 1_000 });
      }
      observe.apiAnswer({ code: '200', method: 'PUT', host: '127.0.0.1:6443' });
    }
    this.ms += number % 900;
    const reason = decision === 'Confirm' ? 'AllTried' : 'DeadlineExceeded';
    const decided = { ...started, status: { decision, decisionReason: reason } } as const;
    told.statusWritten('decision', 'stored');
    told.stored(started, decided);
    this.ms += number % 1_700;
    told.statusWritten('end', 'stored');
    const phase = decision === 'Confirm' ? 'Succeeded' : 'Cancelled';
    told.stored(decided, { ...decided, status: { ...decided.status, phase } });
    observe.queue.worked(0.002);
  }

  async text(): Promise<string> {
    return this.metrics.registry.metrics();
  }
}

export function transactionOf(
  number: number,
  flow: string,
  status?: OrderTransaction['status'],
  createdMs = NOW_MS,
): OrderTransaction {
  const id = number.toString(16).padStart(12, '0');
  return {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: {
      ...{ namespace: 'default', name: `create-o0000000-0000-4000-8000-${id}`, uid: `00000000-0000-4000-8000-${id}` },
      creationTimestamp: new Date(createdMs).toISOString().replace(/\.\d+/, ''),
    },
    spec: { flow, orderId: `o${id}`, payload: {}, suspend: false, cancelRequested: false },
    ...(status && { status }),
  };
}

export function stuckAt(target: string): OrderTransaction['status'] {
  return {
    phase: 'Confirming',
    waitingFor: target,
    conditions: [{ type: 'Stuck', status: 'True', reason: 'TakingTooLong', message: '', lastTransitionTime: '' }],
  };
}

export function seriesIn(text: string): number {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}
