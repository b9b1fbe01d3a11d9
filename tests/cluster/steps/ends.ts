/**
 * When all is over: what the customers say, what the processes have used, and whether the books of all services agree.
 */
import pg from 'pg';
import { waitFor } from '../../../local/deadline.ts';
import { freePort } from '../../../local/ports.ts';
import { runPart } from '../../../local/parts.ts';
import { inheritedEnvironment, type ProcessGroup } from '../../../local/process-group.ts';
import { SERVICES, type ServiceName } from '../../../local/services.ts';
import { checkInvariants, type Violation } from '../../invariants/check-invariants.ts';
import type { Cluster } from '../cluster.ts';
import type { CustomersPod } from '../customers-pod.ts';
import type { Memory } from '../memory.ts';
import type { Step } from '../report.ts';

export type EndOptions = {
  readonly cluster: Cluster;
  readonly customers: () => CustomersPod;
  readonly memory: Memory;
  readonly group: ProcessGroup;
};

const REST_MS = 180_000;
const FORWARDED_MS = 30_000;
const DATABASES = 'ordertx-try-databases';

export function endSteps(options: EndOptions): readonly Step[] {
  return [
    { name: 'every order of every customer has ended', run: () => customersLeave(options) },
    { name: 'memory stayed within its limits', run: () => memory(options) },
    { name: 'the invariants hold over all data at rest', run: () => invariants(options) },
  ];
}

async function customersLeave({ customers }: EndOptions): Promise<string> {
  const { placed, received, cancelled, slowestMs, complaints } = await customers().leave();
  if (complaints.length > 0) throw new Error(`${complaints.length} complain, the first: ${complaints[0] ?? ''}`);
  if (placed !== received + cancelled)
    throw new Error(`${placed} placed, ${received} received, ${cancelled} cancelled`);
  return `${placed} were placed: ${received} received, ${cancelled} cancelled by the flow's deadline and told so; the slowest took ${(slowestMs / 1_000).toFixed(0)} s`;
}

async function memory({ memory: seen }: EndOptions): Promise<string> {
  await seen.look();
  return seen.verdict();
}

/** Each service's database, through a port that kubectl forwards to Postgres. */
async function databases({ cluster, group }: EndOptions): Promise<Readonly<Record<ServiceName, string>>> {
  const { kubeconfig, namespace, release } = cluster.target;
  const port = await freePort();
  const secret = await cluster.get<{ readonly data: Readonly<Record<string, string>> }>('secret', DATABASES);
  const urls = SERVICES.map(({ name }) => {
    const url = new URL(Buffer.from(secret.data[name] ?? '', 'base64').toString());
    url.host = `127.0.0.1:${port}`;
    return [name, url.href] as const;
  });
  const args = ['--kubeconfig', kubeconfig, '--namespace', namespace];
  const forward = [...args, 'port-forward', `service/${release}-try-postgres`, `${port}:5432`];
  const spec = {
    name: 'port-forward-postgres',
    command: 'kubectl',
    args: forward,
    env: inheritedEnvironment(),
    leaf: true,
  };
  await runPart(group, { spec, ready: () => answers(urls[0]?.[1] ?? ''), readyMs: FORWARDED_MS });
  return Object.fromEntries(urls) as Record<ServiceName, string>;
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client(url);
  try {
    await client.connect();
    return true;
  } finally {
    await client.end();
  }
}

async function invariants(options: EndOptions): Promise<string> {
  const { cluster } = options;
  const all = await databases(options);
  let last: readonly Violation[] = [];
  const isAtRest = async (): Promise<boolean> => {
    const transactions = await cluster.transactions();
    last = await checkInvariants({ databases: all, transactions });
    return last.length === 0;
  };
  await waitFor(isAtRest, { what: 'all to agree', deadlineMs: REST_MS, everyMs: 1_000 }).catch((cause: unknown) => {
    const broken = last.slice(0, 5).map(({ invariant, says }) => `${invariant}: ${says}`);
    throw new Error([(cause as Error).message, ...broken].join('; '), { cause });
  });
  return `stock, orders, payments, shipments and points of ${SERVICES.length} databases agree with each other and with every transaction`;
}
