/** What must not become of what is measured: counted twice, without a bound, or read as well while nobody knows. */
import type { Mutant } from './mutant.ts';

export const measured: readonly Mutant[] = [
  {
    name: 'every replica counts every transaction',
    breaks: 'each transaction is counted once, by its owner',
    file: 'controller/src/telemetry/transaction-figures.ts',
    find: 'if (!owns(transaction)) continue;',
    replace: 'owns(transaction);',
    tests: ['controller/src/telemetry/metrics.test.ts'],
  },
  {
    name: 'a label that people choose has no bound',
    breaks: 'however many flows there are, the number of series is bounded',
    file: 'services/metrics/src/bounded-label.ts',
    find: 'if (this.#shown.size >= this.#valuesMax) return OTHERS;',
    replace: '',
    tests: ['services/metrics/src/bounded-label.test.ts', 'controller/src/telemetry/metrics.test.ts'],
  },
  {
    name: 'one reader of OpenMetrics takes _total off the counters for everybody',
    breaks: 'what one reader asks for changes nothing for another',
    file: 'services/metrics/src/exposition.ts',
    find: "(metric.type === 'counter' ? underAnotherName(metric) : metric)",
    replace: 'metric',
    tests: ['services/metrics/src/exposition.test.ts'],
  },
  {
    name: 'what cannot be read from the database is 0',
    breaks: 'a figure that nobody knows is missing from the scrape',
    file: 'services/kit/src/http/metrics.ts',
    find: 'if (labelNames.length === 0) this.remove();\n          else this.reset();',
    replace: 'this.reset();',
    tests: ['services/kit/src/http/metrics.test.ts'],
  },
  {
    name: 'a database that hangs keeps /metrics from being served',
    breaks: 'the other metrics are served while a store does not answer',
    file: 'services/kit/src/http/metrics.ts',
    find: 'return Promise.race([read(), late])',
    replace: 'return Promise.race([read(), late.catch(() => new Promise<never>(() => undefined))])',
    tests: ['services/kit/src/http/metrics.test.ts'],
  },
  {
    name: 'nobody is alarmed by a controller that does not begin on an older CRD',
    breaks: 'a controller that is not ready and has no Lease is known to somebody',
    file: 'helm/ordertx/files/alerts.yaml',
    find: 'expr: max by (crd) (ordertx_crd_unfit) > 0',
    replace: 'expr: min by (crd) (ordertx_crd_unfit) > 0',
    tests: ['tests/alerts/alerts.real.test.ts'],
  },
];
