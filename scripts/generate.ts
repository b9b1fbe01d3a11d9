/**
 * Writes every checked-in file that is derived from another one; with `--check` only says which are stale.
 *
 * A generator names the file and renders its whole text. To add one, add it to `generators`: the check, the tests and
 * `npm run generate` follow.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { chartCopies, renderChartReadme } from './chart-files.ts';
import { renderDashboards } from '../dashboards/all.ts';
import { renderAuditPolicy } from './audit-policy.ts';
import { renderConfiguration } from './configuration-docs.ts';
import { renderOpenApi, renderSchemas } from '../services/protocol/src/index.ts';
import { renderResourceTypes } from './generate-resource-types.ts';
import { renderGuards } from './guards-list.ts';
import type { Generator } from './generator.ts';
import { renderMetrics } from './metrics-docs.ts';
import { renderCrd, renderSchemaRevisions } from './schema-revisions.ts';

const ROOT = resolve(import.meta.dirname, '..');

export const generators: readonly Generator[] = [
  {
    path: 'crds/generated/ordertransaction.ts',
    render: () =>
      renderResourceTypes({
        crd: 'crds/ordertransaction.yaml',
        names: {
          spec: 'OrderTransactionSpec',
          'spec.resolutions[]': 'Resolution',
          'spec.resolutions[].as': 'ResolvedAs',
          status: 'OrderTransactionStatus',
          'status.phase': 'Phase',
          'status.decision': 'Decision',
          'status.decisionReason': 'DecisionReason',
          'status.branches[]': 'Branch',
          'status.branches[].state': 'BranchState',
          'status.messages[]': 'Message',
          'status.messages[].state': 'MessageState',
          'status.messages[].delivery': 'Delivery',
          'status.conditions[]': 'Condition',
          'status.conditions[].type': 'ConditionType',
        },
      }),
  },
  {
    path: 'crds/generated/transactionflow.ts',
    render: () =>
      renderResourceTypes({
        crd: 'crds/transactionflow.yaml',
        names: {
          spec: 'TransactionFlowSpec',
          'spec.participants[]': 'Participant',
          'spec.participants[].endpoint': 'Endpoint',
          'spec.messages[]': 'MessageTemplate',
          'spec.messages[].when': 'MessageWhen',
          'spec.messages[].delivery': 'Delivery',
          'spec.retry': 'Retry',
          status: 'TransactionFlowStatus',
          'status.conditions[]': 'FlowCondition',
        },
      }),
  },
  { path: 'crds/generated/guards.ts', render: () => renderGuards() },
  { path: 'crds/generated/schema-revisions.ts', render: () => renderSchemaRevisions() },
  { path: 'crds/ordertransaction.yaml', render: () => renderCrd('crds/ordertransaction.yaml') },
  { path: 'crds/transactionflow.yaml', render: () => renderCrd('crds/transactionflow.yaml') },
  { path: 'local/try-out/audit-policy.yaml', render: () => renderAuditPolicy() },
  { path: 'docs/reference/configuration.md', render: () => renderConfiguration() },
  { path: 'docs/reference/metrics.md', render: () => renderMetrics() },
  ...[...renderSchemas()].map(([name, text]) => ({ path: `services/protocol/schemas/${name}`, render: () => text })),
  ...chartCopies(),
  { path: 'helm/ordertx/README.md', render: () => renderChartReadme() },
  { path: 'services/protocol/schemas/participant.openapi.json', render: () => renderOpenApi() },
  ...renderDashboards().map(({ path, text }) => ({ path, render: () => text })),
];

/** Generates again and compares; the paths of the files that would change. */
export async function staleFiles(): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const generator of generators) {
    if (textOf(generator.path) !== (await generator.render())) stale.push(generator.path);
  }
  return stale;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(resolve(ROOT, path), 'utf8');
  } catch {
    return undefined;
  }
}

async function write(): Promise<void> {
  for (const generator of generators) {
    const path = resolve(ROOT, generator.path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, await generator.render());
  }
}

async function check(): Promise<void> {
  const stale = await staleFiles();
  for (const path of stale) process.stderr.write(`${path} is stale: run \`npm run generate\` and commit the result\n`);
  if (stale.length > 0) process.exitCode = 1;
}

if (import.meta.main) await (process.argv.includes('--check') ? check() : write());
