/**
 * What do the CRD's rules cost? `npm run bench:cel [-- --rounds 12 --transactions 200]`
 *
 * One API server of its own serves the CRD twice: as it is, and with every x-kubernetes-validations taken out (schema,
 * defaults and selectableFields the same), in another group. Both get the same transactions in alternating rounds:
 * create, the status write of the decision, the status write of the end, delete. What counts is the API server's CPU
 * time per transaction, because on a shared machine the clock measures the neighbours.
 *
 * 1. No guards and no watchers: they cost the same on both sides and would make the rules look cheaper.
 * 2. Every other round runs the two in the other order, so that neither always pays for what the one before it left.
 * 3. The figure is the ratio of the medians; above RATIO_MAX the command fails.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { ApiServer } from '../../local/control-plane/api.ts';
import { startControlPlane } from '../../local/control-plane/start.ts';
import { waitFor } from '../../local/deadline.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { progress } from '../../local/progress.ts';
import { runTransactions, SHAPES, type Shape } from './cel-cost-transactions.ts';
import { runCommand } from './command.ts';
import { readNumbers } from './number-options.ts';
import { spread, summarize, type Spread } from './spread.ts';

interface Variant {
  readonly name: 'with rules' | 'without rules';
  readonly group: string;
}

interface Crd {
  metadata: { name: string };
  spec: { group: string };
}

interface Figure {
  readonly shape: string;
  readonly withRulesMs: Spread;
  readonly withoutRulesMs: Spread;
  readonly ratio: number;
}

const ROOT = join(import.meta.dirname, '..', '..');
const RESULT = join(ROOT, '.ordertx', 'bench', 'cel-cost.json');
const CRD_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const SERVED_MS = 30_000;
/** The rules are a second belt: they may cost a transaction at most 15 % more API-server CPU (docs/adr/0001). */
const RATIO_MAX = 1.15;

const WITH_RULES: Variant = { name: 'with rules', group: 'ordertx.dev' };
const WITHOUT_RULES: Variant = { name: 'without rules', group: 'without-rules.ordertx.dev' };

async function main(): Promise<boolean> {
  const { rounds, transactions } = readNumbers({ rounds: 12, transactions: 200 });
  const group = await openProcessGroup();
  try {
    const { admin } = await progress('starting an API server', () => startControlPlane(group));
    await install(admin, WITH_RULES, (crd) => crd);
    await install(admin, WITHOUT_RULES, (crd) => withoutRules(crd) as Crd);
    const figures = await measureAll(admin, rounds, transactions);
    await admin.close();
    report(figures, rounds, transactions);
    return figures.every(({ ratio }) => ratio <= RATIO_MAX);
  } finally {
    await group.close();
  }
}

async function install(admin: ApiServer, variant: Variant, change: (crd: Crd) => Crd): Promise<void> {
  const crd = change(parse(readFileSync(join(ROOT, 'crds', 'ordertransaction.yaml'), 'utf8')) as Crd);
  crd.spec.group = variant.group;
  crd.metadata.name = `ordertransactions.${variant.group}`;
  const { status, body } = await admin.request('POST', CRD_PATH, crd);
  if (status !== 201) throw new Error(`the CRD ${variant.name} was not accepted: ${JSON.stringify(body)}`);
  await waitFor(async () => (await admin.request('GET', collectionPath(variant))).status === 200, {
    what: `the CRD ${variant.name} to be served`,
    deadlineMs: SERVED_MS,
  });
}

function withoutRules(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutRules);
  if (typeof node !== 'object' || node === null) return node;
  const kept = Object.entries(node).filter(([key]) => key !== 'x-kubernetes-validations');
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutRules(value)]));
}

async function measureAll(admin: ApiServer, rounds: number, transactions: number): Promise<readonly Figure[]> {
  const measure = async (variant: Variant, shape: Shape): Promise<number> => {
    const before = await cpuSeconds(admin);
    await runTransactions(admin, collectionPath(variant), variant.group, shape, transactions);
    return (((await cpuSeconds(admin)) - before) * 1000) / transactions;
  };

  const costs = SHAPES.map((shape) => ({ shape, withRulesMs: [] as number[], withoutRulesMs: [] as number[] }));
  await progress('warming up', async () => {
    for (const { shape } of costs) for (const variant of [WITH_RULES, WITHOUT_RULES]) await measure(variant, shape);
  });
  for (let round = 1; round <= rounds; round++) {
    await progress(`round ${round} of ${rounds}`, async () => {
      for (const { shape, withRulesMs, withoutRulesMs } of costs) {
        if (round % 2 === 0) withRulesMs.push(await measure(WITH_RULES, shape));
        withoutRulesMs.push(await measure(WITHOUT_RULES, shape));
        if (round % 2 === 1) withRulesMs.push(await measure(WITH_RULES, shape));
      }
    });
  }
  return costs.map(({ shape, withRulesMs, withoutRulesMs }) => {
    const [dearer, cheaper] = [spread(withRulesMs), spread(withoutRulesMs)];
    return {
      shape: shape.name,
      withRulesMs: dearer,
      withoutRulesMs: cheaper,
      ratio: dearer.median / cheaper.median,
    };
  });
}

/** User and system time of the API server so far. */
async function cpuSeconds(admin: ApiServer): Promise<number> {
  const { body } = await admin.request('GET', '/metrics');
  const found = /^process_cpu_seconds_total (\S+)$/m.exec(String(body))?.[1];
  if (found === undefined) throw new Error('the API server has no metric process_cpu_seconds_total');
  return Number(found);
}

function collectionPath({ group }: Variant): string {
  return `/apis/${group}/v1alpha1/namespaces/default/ordertransactions`;
}

function report(figures: readonly Figure[], rounds: number, transactions: number): void {
  console.log(`API-server CPU per transaction (create, 2 status writes, delete), ${cpus().length} cores,`);
  console.log(`${rounds} alternating rounds of ${transactions} transactions each\n`);
  for (const { shape, withRulesMs, withoutRulesMs, ratio } of figures) {
    console.log(shape);
    console.log(`  without rules  ${summarize(withoutRulesMs, 'ms')}`);
    console.log(`  with rules     ${summarize(withRulesMs, 'ms')}`);
    console.log(`  ratio          ${ratio.toFixed(3)} (at most ${RATIO_MAX})\n`);
  }
  mkdirSync(join(RESULT, '..'), { recursive: true });
  const result = { measuredAt: new Date().toISOString(), rounds, transactions, ratioMax: RATIO_MAX, figures };
  writeFileSync(RESULT, `${JSON.stringify(result, null, 2)}\n`);
}

await runCommand(main);
