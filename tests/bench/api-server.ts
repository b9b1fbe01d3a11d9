/**
 * What do an order's writes cost the API server? `npm run bench:api-server [-- --rounds 5 --transactions 400 --lanes 50]`
 *
 * The same transactions in each way of api-server-variants.ts, in alternating rounds: creation, the status writes of the decision
 * and of the end, then the removal of a minute at once, as services and controller make them, with the controller's watch beside.
 * What counts is the CPU time of API server and etcd for each transaction: on a shared machine the clock measures the neighbours.
 *
 * 1. `--variants none,all` measures only these. `--profile FOLDER` keeps the API server's CPU and allocation profiles for each, for `go tool pprof`.
 * 2. A variant with a GOGC of its own has an API server and an etcd of its own; the one that is not asked stands idle.
 * 3. Every other round runs them backwards, so that none always pays for what the one before it left.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Agent, request } from 'undici';
import { startControlPlane, type ControlPlane } from '../../local/control-plane/start.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { progress } from '../../local/progress.ts';
import { VARIANTS, type Variant } from './api-server-variants.ts';
import { openLife, type Life } from './api-server-life.ts';
import { closedLoop } from './closed-loop.ts';
import { runCommand } from './command.ts';
import { describeMachine } from './machine.ts';
import { spread, type Spread } from './spread.ts';

const RESULT = join(import.meta.dirname, '..', '..', '.ordertx', 'bench', 'api-server.json');
const UNLIMITED_MS = 3_600_000;
const MEBIBYTE = 1024 ** 2;

interface Settings {
  readonly rounds: number;
  readonly transactions: number;
  readonly lanes: number;
  readonly variants: readonly Variant[];
  readonly profiles: string | undefined;
}

/** CPU milliseconds for each transaction. */
interface Cost {
  readonly apiServer: number;
  readonly etcd: number;
  readonly removalApiServer: number;
  readonly removalEtcd: number;
  /** What the API server allocates for all of it, in kB. What garbage collection costs follows it, and it hardly spreads. */
  readonly allocatedKb: number;
}

interface Figure {
  readonly variant: Variant;
  readonly cost: Readonly<Record<keyof Cost | 'all', Spread>>;
  /** What the API server's process has in memory after the last round, in MiB. */
  readonly memoryMiB: number;
  /** Of all, against the first variant in the same round. */
  readonly ratio: Spread;
  /** Of what is allocated, likewise. */
  readonly allocatedRatio: Spread;
}

function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      transactions: { type: 'string', default: '400' },
      lanes: { type: 'string', default: '50' },
      variants: { type: 'string', default: VARIANTS.map(({ name }) => name).join(',') },
      profile: { type: 'string' },
    },
  });
  const [rounds, transactions, lanes] = [Number(values.rounds), Number(values.transactions), Number(values.lanes)];
  if (![rounds, transactions, lanes].every((value) => value >= 1)) {
    throw new Error('--rounds, --transactions and --lanes must be numbers from 1');
  }
  const variants = values.variants.split(',').map((name) => {
    const found = VARIANTS.find((variant) => variant.name === name);
    const names = VARIANTS.map((variant) => variant.name).join(', ');
    if (found === undefined) throw new Error(`--variants: there is none of the name ${name}; there are ${names}`);
    return found;
  });
  return { rounds, transactions, lanes, variants, profiles: values.profile && resolve(values.profile) };
}

interface Candidate {
  readonly variant: Variant;
  readonly plane: ControlPlane;
  readonly life: Life;
  readonly costs: Cost[];
}

async function open(group: ProcessGroup, variants: readonly Variant[]): Promise<readonly Candidate[]> {
  const planes = new Map<number | undefined, ControlPlane>();
  const candidates: Candidate[] = [];
  for (const variant of variants) {
    const { gogc } = variant;
    const plane = planes.get(gogc) ?? (await start(group, planes.size, gogc));
    planes.set(gogc, plane);
    candidates.push({ variant, plane, life: await openLife(plane, variant), costs: [] });
  }
  return candidates;
}

async function start(group: ProcessGroup, number: number, gogc: number | undefined): Promise<ControlPlane> {
  return startControlPlane(group, {
    folder: `control-plane-${number}`,
    ...(gogc !== undefined && { apiserverEnv: { GOGC: String(gogc) } }),
  });
}

interface Spent {
  readonly apiServer: number;
  readonly etcd: number;
  readonly allocatedKb: number;
}

/** Milliseconds of CPU time, and what was allocated, since each was started. */
async function spentSoFar({ admin, etcdUrl }: ControlPlane): Promise<Spent> {
  const { body } = await admin.request('GET', '/metrics');
  const etcd = await (await fetch(`${etcdUrl}/metrics`)).text();
  return {
    apiServer: gauge(String(body), 'process_cpu_seconds_total') * 1_000,
    etcd: gauge(etcd, 'process_cpu_seconds_total') * 1_000,
    allocatedKb: gauge(String(body), 'go_memstats_alloc_bytes_total') / 1_000,
  };
}

function gauge(page: string, name: string): number {
  const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1];
  if (found === undefined) throw new Error(`there is no metric ${name}`);
  return Number(found);
}

async function round({ plane, life }: Candidate, { transactions, lanes }: Settings): Promise<Cost> {
  const limits = { lanes, milliseconds: UNLIMITED_MS, roundsMax: transactions };
  const before = await spentSoFar(plane);
  await closedLoop(limits, () => life.transaction());
  const written = await spentSoFar(plane);
  await life.removeAll();
  const removed = await spentSoFar(plane);
  return {
    apiServer: (written.apiServer - before.apiServer) / transactions,
    etcd: (written.etcd - before.etcd) / transactions,
    removalApiServer: (removed.apiServer - written.apiServer) / transactions,
    removalEtcd: (removed.etcd - written.etcd) / transactions,
    allocatedKb: (removed.allocatedKb - before.allocatedKb) / transactions,
  };
}

async function measure(candidates: readonly Candidate[], settings: Settings): Promise<void> {
  await progress('warming up', async () => {
    for (const candidate of candidates) await round(candidate, settings);
  });
  for (let number = 1; number <= settings.rounds; number += 1) {
    await progress(`round ${number} of ${settings.rounds}`, async () => {
      for (const candidate of number % 2 === 1 ? candidates : candidates.toReversed()) {
        candidate.costs.push(await round(candidate, settings));
      }
    });
  }
}

/** Where CPU time goes and, as a third of it is garbage collection, who allocates. */
const PROFILES = { cpu: '/debug/pprof/profile', allocs: '/debug/pprof/allocs' };

/** Profiles while rounds are made, as many as take their time. */
async function profile(candidate: Candidate, settings: Settings, folder: string): Promise<void> {
  const { plane, variant } = candidate;
  const agent = new Agent({ connect: { ca: plane.certificate } });
  try {
    let isTaken = false;
    const taking = Object.entries(PROFILES).map(async ([what, path]) => {
      const headers = { authorization: `Bearer ${plane.token}` };
      const { body } = await request(`${plane.url}${path}?seconds=10`, { dispatcher: agent, headers });
      return [what, await body.bytes()] as const;
    });
    const pending = Promise.all(taking).finally(() => (isTaken = true));
    pending.catch(() => undefined);
    while (!isTaken) await round(candidate, settings);
    mkdirSync(folder, { recursive: true });
    for (const [what, bytes] of await pending) writeFileSync(join(folder, `${variant.name}.${what}.pprof`), bytes);
  } finally {
    await agent.destroy();
  }
}

function sumOf({ apiServer, etcd, removalApiServer, removalEtcd }: Cost): number {
  return apiServer + etcd + removalApiServer + removalEtcd;
}

async function figuresOf(candidates: readonly Candidate[]): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  const first = candidates[0]?.costs ?? [];
  const ratioOf = (costs: readonly Cost[], figure: (cost: Cost) => number) =>
    spread(costs.map((cost, round) => figure(cost) / figure(first[round] ?? cost)));
  for (const { variant, plane, costs } of candidates) {
    const of = (part: keyof Cost) => spread(costs.map((cost) => cost[part]));
    const { body } = await plane.admin.request('GET', '/metrics');
    figures.push({
      variant,
      cost: {
        apiServer: of('apiServer'),
        etcd: of('etcd'),
        removalApiServer: of('removalApiServer'),
        removalEtcd: of('removalEtcd'),
        allocatedKb: of('allocatedKb'),
        all: spread(costs.map(sumOf)),
      },
      memoryMiB: gauge(String(body), 'process_resident_memory_bytes') / MEBIBYTE,
      ratio: ratioOf(costs, sumOf),
      allocatedRatio: ratioOf(costs, ({ allocatedKb }) => allocatedKb),
    });
  }
  return figures;
}

function table(figures: readonly Figure[]): string {
  const cell = ({ median, min, max }: Spread) => `${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;
  const head = ['variant', 'API server', 'etcd', 'removal, API server', 'removal, etcd', 'all', 'ratio'];
  head.push('API server allocates, kB', 'ratio', 'memory MiB');
  const rows = figures.map(({ variant, cost, ratio, allocatedRatio, memoryMiB }) => [
    ...[variant.name, cell(cost.apiServer), cell(cost.etcd), cell(cost.removalApiServer), cell(cost.removalEtcd)],
    ...[cell(cost.all), cell(ratio), cost.allocatedKb.median.toFixed(0), cell(allocatedRatio), memoryMiB.toFixed(0)],
  ]);
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

async function main(): Promise<void> {
  const settings = readSettings();
  const machine = await describeMachine();
  const group = await openProcessGroup();
  try {
    const candidates = await progress('starting', () => open(group, settings.variants));
    await measure(candidates, settings);
    const figures = await figuresOf(candidates);
    const { profiles } = settings;
    if (profiles !== undefined) {
      await progress('taking profiles', async () => {
        for (const candidate of candidates) await profile(candidate, settings, profiles);
      });
    }
    mkdirSync(join(RESULT, '..'), { recursive: true });
    writeFileSync(RESULT, `${JSON.stringify({ at: new Date().toISOString(), machine, settings, figures }, null, 2)}\n`);
    const { rounds, transactions, lanes } = settings;
    console.log(`CPU milliseconds for each transaction (create, 2 status writes; its removal), median (range)`);
    console.log(`of ${rounds} alternating rounds of ${transactions} transactions at ${lanes} lanes;`);
    console.log(`${machine.cores} cores, load average before the start ${machine.loadAverage.toFixed(1)}\n`);
    console.log(`${table(figures)}\n\nKept in ${RESULT}`);
    for (const { life, plane } of candidates) await Promise.all([life.close(), plane.admin.close()]);
  } finally {
    await group.close();
  }
}

await runCommand(main);
