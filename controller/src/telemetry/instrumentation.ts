/**
 * The hooks through which the parts are measured and logged; main.ts hands them out.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { Observer } from '../reconcile/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { Outcome, Operation } from '../transaction/outcome.ts';
import type { ControllerMetrics } from './metrics.ts';
import { ObservedTransaction } from './observed-transaction.ts';
import { story } from './story.ts';

export interface Instrumentation {
  readonly observer: Observer;
  readonly apiAnswer: (call: { readonly code: string; readonly method: string; readonly host: string }) => void;
  /** How far this machine's clock is ahead of the API server's, after each answer of its. */
  readonly skew: (skewMs: number) => void;
  /** The same of the archive's database; where that rejects, it is not known. */
  readonly archiveSkew: (seconds: Promise<number>) => Promise<void>;
  readonly call: (report: {
    readonly participant: string;
    readonly operation: Operation;
    readonly outcome: Outcome['kind'];
    readonly seconds: number;
  }) => void;
  /** Runs one reconcile pass. */
  readonly pass: (run: () => Promise<void>) => Promise<void>;
  readonly queue: {
    readonly added: () => void;
    readonly waited: (seconds: number) => void;
    readonly worked: (seconds: number) => void;
    readonly retried: () => void;
  };
}

export interface InstrumentationOptions {
  readonly metrics: ControllerMetrics;
  readonly log: Log;
  /** Its name, as controller-runtime would call it. */
  readonly controller: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Of the trace a transaction belongs to. */
  readonly traceIdOf: (transaction: OrderTransaction) => string;
}

export function instrumentation(options: InstrumentationOptions): Instrumentation {
  const { metrics, log, controller, clock, traceIdOf } = options;
  const name = { name: controller };
  const observedBy = { metrics, traceIdOf, tell: story(log), monotonicMs: () => clock.monotonicMs() };
  return {
    observer: {
      takenUp: () => new ObservedTransaction(observedBy),
      statusRefused: (key, sentence) => log.error({ transaction: key, sentence }, 'the API server refused a status'),
    },
    skew: skewWatch(metrics, log),
    archiveSkew: (seconds) =>
      seconds.then(
        (known) => metrics.clockSkewSeconds.set({ against: 'archive' }, known),
        () => metrics.clockSkewSeconds.remove({ against: 'archive' }),
      ),
    apiAnswer: (call) => metrics.apiRequests.inc({ ...call }),
    call: ({ participant: name, operation, outcome, seconds }) => {
      const participant = metrics.bounds.targets.of(name);
      metrics.calls.inc({ participant, operation, outcome });
      metrics.callSeconds.observe({ participant, operation }, seconds);
    },
    pass: async (run) => {
      const end = metrics.reconcileSeconds.startTimer({ controller });
      try {
        await run();
        metrics.reconciles.inc({ controller, result: 'success' });
      } catch (error) {
        metrics.reconciles.inc({ controller, result: 'error' });
        throw error;
      } finally {
        end();
      }
    },
    queue: {
      added: () => metrics.queueAdds.inc(name),
      waited: (seconds) => metrics.queueWaitSeconds.observe(name, seconds),
      worked: (seconds) => metrics.queueWorkSeconds.observe(name, seconds),
      retried: () => metrics.queueRetries.inc(name),
    },
  };
}

/** What people compare log lines over several machines by; nothing here depends on it. */
const SKEW_WORTH_A_WORD_MS = 5_000;

/** Says so when the clocks come apart and when they agree again, and not in between. */
function skewWatch(metrics: ControllerMetrics, log: Log): (skewMs: number) => void {
  let apart = false;
  return (skewMs) => {
    metrics.clockSkewSeconds.set({ against: 'api-server' }, skewMs / 1000);
    const isApart = Math.abs(skewMs) > (apart ? SKEW_WORTH_A_WORD_MS / 2 : SKEW_WORTH_A_WORD_MS);
    if (isApart === apart) return;
    apart = isApart;
    if (isApart) {
      log.warn(
        { skewSeconds: Math.round(skewMs / 1000) },
        'the clock of this machine is not the API server’s: deadlines go by the API server’s, log lines by this one’s',
      );
    } else log.info({}, 'the clock of this machine agrees with the API server’s again');
  };
}
