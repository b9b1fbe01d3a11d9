/**
 * ordertx on real nodes: `npm run test:cluster -- --load COMMAND`, in a cluster that is there (docs/cluster-test.md).
 *
 * Builds, loads, installs, and has an order shipped; then customers buy while controllers are killed, services rolled out, the release
 * upgraded and rolled back and the node drained; at last all data have to agree. Prints a line for each step and their sum.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onEnd } from '../../local/interruption.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { say } from '../../local/progress.ts';
import { TRY_OUT } from '../../local/try-out/release.ts';
import { VALUES_TRY } from '../../local/try-out/steps.ts';
import { lacking } from '../../local/try-out/tools.ts';
import { Cluster } from './cluster.ts';
import { CustomersPod } from './customers-pod.ts';
import { Memory } from './memory.ts';
import { readOptions, USAGE, type Wanted } from './options.ts';
import { Report, type Step } from './report.ts';
import { endSteps } from './steps/ends.ts';
import { interruptionSteps } from './steps/interruptions.ts';
import { refusalSteps } from './steps/refusals.ts';
import { releaseSteps, storesImage } from './steps/release.ts';

const EXIT_USAGE = 2;

/** The chart's values, the later over the earlier. */
async function valuesFiles(wanted: Wanted, tag: string, folder: string): Promise<readonly string[]> {
  const files = [VALUES_TRY, join(import.meta.dirname, 'values.yaml')];
  if (wanted.stores === undefined) return files;
  const image = (store: 'postgres' | 'redis') => ({ image: { repository: storesImage(store), tag, digest: '' } });
  const file = join(folder, 'stores.json');
  await writeFile(file, JSON.stringify({ try: { postgres: image('postgres'), redis: image('redis') } }));
  return [...files, file];
}

async function test(wanted: Wanted, report: Report, group: ProcessGroup, signal: AbortSignal): Promise<void> {
  // Pods of another tag are other pods: what was built again is what runs.
  const tag = `test-${Date.now().toString(36)}`;
  const values = await valuesFiles(wanted, tag, group.folder);
  const cluster = new Cluster({ ...TRY_OUT, kubeconfig: wanted.kubeconfig, tag, values });
  let inside: CustomersPod | undefined;
  const customers = (): CustomersPod => {
    if (inside === undefined) throw new Error('no customers are there');
    return inside;
  };
  const begin: Step = {
    name: 'customers begin to buy',
    run: async () => {
      inside = await CustomersPod.begin(cluster, `ordertx/order:${tag}`);
      return 'three at once, each again and again';
    },
  };
  const memory = new Memory(cluster);
  const first = releaseSteps({ cluster, wanted, group, signal });
  const others = [
    ...refusalSteps(cluster),
    begin,
    ...interruptionSteps({ cluster, customers, signal }),
    ...endSteps({ cluster, customers, memory, group }),
  ];
  for (const [index, step] of first.entries()) {
    if (await report.take(step)) continue;
    report.leaveOut([...first.slice(index + 1), ...others], `of "${step.name}"`);
    return;
  }
  for (const step of others) {
    await report.take(step);
    // In the midst of things a node may have no answer; the last look is a step of its own.
    await memory.look().catch(() => undefined);
  }
}

async function main(wanted: Wanted): Promise<boolean> {
  const end = onEnd();
  const report = new Report((line) => console.log(line));
  const group = await openProcessGroup();
  const interrupted = end.reason.then((reason) => Promise.reject(new Error(reason)));
  try {
    await Promise.race([test(wanted, report, group, end.signal), interrupted]);
  } finally {
    await group.close();
  }
  console.log(report.sum);
  return report.isGood;
}

try {
  const wanted = readOptions(process.argv.slice(2), process.env);
  const missing = await lacking(['helm', 'kubectl']);
  if (missing.length > 0) throw new Error(missing.join('\n'));
  process.exit((await main(wanted)) ? 0 : 1);
} catch (error) {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  const isUsage = code?.startsWith('ERR_PARSE_ARGS') === true || message.startsWith('--');
  say(isUsage ? `${message}\n${USAGE}` : `test:cluster: ${message}`);
  process.exit(isUsage ? EXIT_USAGE : 1);
}
