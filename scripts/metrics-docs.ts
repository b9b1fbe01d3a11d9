/**
 * docs/reference/metrics.md: every metric of the controller, as its registry describes it.
 */
import { ControllerMetrics } from '../controller/src/telemetry/metrics.ts';

interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames?: readonly string[];
}

/** Of the process itself, by prom-client; their names are the same in every Node program. */
const OF_THE_PROCESS = /^(process|nodejs)_/;

export function renderMetrics(): string {
  const metrics = new ControllerMetrics();
  metrics.observe('', {
    transactions: () => [],
    informerAgesMs: () => ({}),
    queue: () => ({ depth: 0, delayed: 0, longestRunningMs: 0 }),
    callsUnderWay: () => 0,
    callsWaiting: () => 0,
    removalOverdueMs: () => 0,
    breakers: () => new Map(),
  });
  const rows = (metrics.registry.getMetricsAsArray() as unknown as readonly Described[])
    .filter(({ name }) => !OF_THE_PROCESS.test(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      ({ name, type, labelNames = [], help }) =>
        `| \`${name}\` | ${type} | ${labelNames.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    );
  return `<!-- Generated from controller/src/telemetry/metrics.ts by \`npm run generate\`; do not edit. -->

# Metrics of the controller

Served at \`/metrics\` on the controller's port, beside those of the Node process (\`process_*\`, \`nodejs_*\`). No label names a transaction.

| metric | type | labels | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}
