/**
 * What does one order cost in calls? `npm run bench:calls [-- --orders 20]`
 *
 * The whole system with nothing else to do: so many orders one after the other, each until nothing of it is under way any more; then
 * each of them is paid, until its customer has points and a message. By process: HTTP requests it is sent, writes to the API server,
 * SQL round trips, statements and database transactions, Redis commands.
 *
 * 1. Postgres and Redis are counted on the wire, through proxies that understand enough of their protocols: nothing in the services
 *    knows that it is counted. HTTP is what each service says at /metrics; writes to the API server are what it says itself.
 * 2. Figures are medians over the orders, without what goes on for so long without any order (leases, looks at outboxes, reads that
 *    wait), which is shown beside for each second.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startBusiness, type Business } from '../../local/business.ts';
import { installResources } from '../../local/cluster.ts';
import { startControlPlane, type ControlPlane } from '../../local/control-plane/start.ts';
import { startPostgres } from '../../local/postgres.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { progress, say } from '../../local/progress.ts';
import { startRedis } from '../../local/redis.ts';
import { SERVICES } from '../../local/services.ts';
import { samplesOf } from '../world/prometheus-text.ts';
import { openCustomers, type Customers } from './orders.ts';
import { percentile } from './closed-loop.ts';
import { runCommand } from './command.ts';
import { readNumbers } from './number-options.ts';
import { startCountingProxy } from './wire/counting-proxy.ts';
import { PostgresWire, type PostgresCounts } from './wire/postgres-wire.ts';
import { RedisWire, type RedisCounts } from './wire/redis-wire.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'bench');
const RESULT = join(FOLDER, 'calls.json');
const CONTROLLER = 'controller';
const PROCESSES = [CONTROLLER, ...SERVICES.map(({ name }) => name)];
/** What follows an order's end: receipts are taken off, entries deleted, connections given back. */
const SETTLED_MS = 100;
/** Pools fill, statements are prepared for each connection, tokens and keys are fetched. */
const WARM_UP_ORDERS = 30;
const IDLE_MS = 10_000;

/** By what is counted: `order sql`, `controller XADD`. */
type Counts = ReadonlyMap<string, number>;

/** What goes over the wires of every process. */
class Wires {
  readonly #postgres = new Map<string, PostgresCounts>();
  readonly #redis = new Map<string, RedisCounts>();

  readonly postgres = (database: string): PostgresCounts => {
    const known = this.#postgres.get(database) ?? { roundTrips: 0, statements: 0, transactions: 0 };
    this.#postgres.set(database, known);
    return known;
  };

  readonly redis = (process: string): RedisCounts => {
    const known: RedisCounts = this.#redis.get(process) ?? new Map<string, number>();
    this.#redis.set(process, known);
    return known;
  };

  counts(): Counts {
    const counts = new Map<string, number>();
    for (const [process, each] of this.#postgres) {
      for (const [what, count] of Object.entries(each)) counts.set(`${process} ${what}`, count as number);
    }
    for (const [process, commands] of this.#redis) {
      for (const [command, count] of commands) counts.set(`${process} redis ${command}`, count);
    }
    return counts;
  }
}

function difference(before: Counts, after: Counts): Counts {
  return new Map([...after].map(([what, count]) => [what, count - (before.get(what) ?? 0)] as const));
}

function medians(all: readonly Counts[]): Counts {
  const names = new Set(all.flatMap((counts) => [...counts.keys()]));
  const median = (what: string) =>
    percentile(
      all.map((counts) => counts.get(what) ?? 0),
      0.5,
    );
  return new Map([...names].map((what) => [what, median(what)] as const));
}

interface System {
  readonly business: Business;
  readonly cluster: ControlPlane;
  readonly wires: Wires;
}

async function startCounted(group: ProcessGroup): Promise<System> {
  const wires = new Wires();
  const [postgres, redis, cluster] = await Promise.all([
    startPostgres(group),
    startRedis(group, { url: '' }),
    startControlPlane(group),
  ]);
  await installResources(cluster);
  const database = await startCountingProxy(postgres.port, () => new PostgresWire(wires.postgres));
  const redisPort = Number(new URL(redis.url).port);
  const brokers = await Promise.all(
    PROCESSES.map(async (name) => {
      const { port } = await startCountingProxy(redisPort, () => new RedisWire(wires.redis(name)));
      return [name, { REDIS_URL: `redis://127.0.0.1:${String(port)}` }] as const;
    }),
  );
  const broker = Object.fromEntries(brokers);
  const postgresUrl = new URL(postgres.url);
  postgresUrl.port = String(database.port);
  const business = await startBusiness(group, {
    ...{ cluster, namespace: 'default', postgresUrl: postgresUrl.href, databasePrefix: '', redisUrl: redis.url },
    ...{ controllers: 1, controllerEnv: broker[CONTROLLER] ?? {}, serviceEnv: broker },
  });
  return { business, cluster, wires };
}

/** What is counted where it is served: requests to each service, writes of transactions at the API server. */
async function served({ business, cluster }: System): Promise<Counts> {
  const counts = new Map<string, number>();
  for (const [name, { url }] of Object.entries(business.services)) {
    const page = await (await fetch(`${url}/metrics`)).text();
    const requests = samplesOf(page, 'http_request_duration_seconds_count');
    const own = requests.filter(({ labels }) => !['/metrics', '/healthz', '/readyz'].includes(labels.route ?? ''));
    counts.set(
      `${name} http`,
      own.reduce((sum, { value }) => sum + value, 0),
    );
  }
  const { body } = await cluster.admin.request('GET', '/metrics');
  const writes = samplesOf(String(body), 'apiserver_request_total');
  for (const { labels, value } of writes) {
    if (labels.resource !== 'ordertransactions' || !['POST', 'PUT', 'PATCH', 'DELETE'].includes(labels.verb ?? ''))
      continue;
    const writer = labels.verb === 'POST' ? 'order' : CONTROLLER;
    counts.set(`${writer} api`, (counts.get(`${writer} api`) ?? 0) + value);
  }
  return counts;
}

/** `act` starts one transaction and need not wait for its end. `idle`: what happens in a second without any. */
async function measure(
  system: System,
  customers: Customers,
  act: () => Promise<void>,
  { orders, idle }: { readonly orders: number; readonly idle: Counts },
): Promise<Counts> {
  const each: Counts[] = [];
  const before = await served(system);
  for (let number = 0; number < orders; number += 1) {
    const ended = await customers.endedSoFar();
    await pause(SETTLED_MS);
    const { counts, seconds } = await counted(system, async () => {
      await act();
      await customers.ended(ended + 1);
      await pause(SETTLED_MS);
    });
    each.push(new Map([...counts].map(([what, count]) => [what, count - (idle.get(what) ?? 0) * seconds] as const)));
  }
  const requests = difference(before, await served(system));
  const perOrder = [...requests].map(([what, count]) => [what, Math.round((count / orders) * 10) / 10] as const);
  const whole = [...medians(each)].map(([what, count]) => [what, Math.max(0, Math.round(count))] as const);
  return new Map([...whole, ...perOrder]);
}

/** Nothing says that there is nothing more to come: what is counted is what has come by then. */
async function pause(ms: number): Promise<void> {
  await once(AbortSignal.timeout(ms), 'abort');
}

async function counted({ wires }: System, act: () => Promise<void>) {
  const [begun, begunMs] = [wires.counts(), performance.now()];
  await act();
  return { counts: difference(begun, wires.counts()), seconds: (performance.now() - begunMs) / 1_000 };
}

async function idleSecond(system: System): Promise<Counts> {
  const { counts, seconds } = await counted(system, () => pause(IDLE_MS));
  return new Map([...counts].map(([what, count]) => [what, count / seconds] as const));
}

async function post(url: string, body: object): Promise<Record<string, unknown>> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`POST ${url} was answered ${String(answer.status)}: ${await answer.text()}`);
  return (await answer.json()) as Record<string, unknown>;
}

/** Asks for the payment of an order and captures it: everything after that is the system's own doing. */
async function pay({ business }: System, orderId: string): Promise<void> {
  const { url } = business.services.payment;
  const { paymentId } = await post(`${url}/payments`, { orderId });
  await post(`${url}/payments/${String(paymentId)}/pay`, {});
}

/** An object's fields in a row of the table; the last is the sum of a process's Redis commands. */
const COLUMNS = {
  'HTTP requests': (of: Counts, process: string) => of.get(`${process} http`) ?? 0,
  'API writes': (of: Counts, process: string) => of.get(`${process} api`) ?? 0,
  'SQL round trips': (of: Counts, process: string) => of.get(`${process} roundTrips`) ?? 0,
  'SQL statements': (of: Counts, process: string) => of.get(`${process} statements`) ?? 0,
  'database transactions': (of: Counts, process: string) => of.get(`${process} transactions`) ?? 0,
  'Redis commands': (of: Counts, process: string) => redisOf(of, process).reduce((sum, { count }) => sum + count, 0),
} as const;

function redisOf(counts: Counts, process: string): readonly { readonly name: string; readonly count: number }[] {
  const prefix = `${process} redis `;
  return [...counts]
    .filter(([what, count]) => what.startsWith(prefix) && count > 0)
    .map(([what, count]) => ({ name: what.slice(prefix.length), count }))
    .toSorted((a, b) => b.count - a.count || a.name.localeCompare(b.name));
}

const shown = (value: number): string => (value === 0 ? '' : String(Math.round(value * 10) / 10));

/** A Markdown table, so that it can stand in the docs as it is. */
function table(title: string, counts: Counts): string {
  const cells = Object.values(COLUMNS);
  const rows = PROCESSES.map((process) => ({ process, values: cells.map((cell) => cell(counts, process)) }));
  const sums = cells.map((_, column) => rows.reduce((sum, { values }) => sum + (values[column] ?? 0), 0));
  const lines = [
    [title, ...Object.keys(COLUMNS)],
    ['---', ...cells.map(() => '---:')],
    ...rows
      .filter(({ values }) => values.some((value) => value > 0))
      .map((row) => [row.process, ...row.values.map(shown)]),
    ['**all**', ...sums.map((sum) => (sum === 0 ? '' : `**${shown(sum)}**`))],
  ];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function redisLines(counts: Counts): string {
  const lines = PROCESSES.map((process) => {
    const commands = redisOf(counts, process).map(({ name, count }) => `${shown(count)} ${name}`);
    return { process, commands: commands.join(', ') };
  });
  return lines
    .filter(({ commands }) => commands !== '')
    .map(({ process, commands }) => `- ${process}: ${commands}`)
    .join('\n');
}

async function count(system: System, orders: number): Promise<Readonly<Record<string, Counts>>> {
  const customers = await openCustomers({ description: () => system.business });
  const placed: string[] = [];
  const create = async (): Promise<void> => void placed.push((await customers.order()).replace(/^create-/, ''));
  const payNext = async (): Promise<void> => pay(system, placed.shift() ?? '');
  try {
    await progress('warming up', async () => {
      const ended = await customers.endedSoFar();
      for (let number = 0; number < WARM_UP_ORDERS; number += 1) await create();
      await customers.ended(ended + WARM_UP_ORDERS);
      for (let number = 0; number < WARM_UP_ORDERS; number += 1) await payNext();
      await customers.ended(ended + 2 * WARM_UP_ORDERS);
    });
    const idle = await progress('counting without orders', () => idleSecond(system));
    const numbers = { orders, idle };
    return {
      'create-order': await progress('counting orders', () => measure(system, customers, create, numbers)),
      'pay-order': await progress('counting payments', () => measure(system, customers, payNext, numbers)),
      'idle, a second': idle,
    };
  } finally {
    await customers.close();
  }
}

async function main(orders: number): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const group = await openProcessGroup({ logFolder: join(FOLDER, 'logs') });
  try {
    const system = await startCounted(group);
    const chains = await count(system, orders);
    for (const [name, counts] of Object.entries(chains)) {
      say(`\n${table(name, counts)}\n\nRedis commands:\n${redisLines(counts)}`);
    }
    const plain = Object.entries(chains).map(([name, counts]) => [name, Object.fromEntries(counts)] as const);
    writeFileSync(RESULT, `${JSON.stringify(Object.fromEntries(plain), undefined, 2)}\n`);
    say(`\nmedians of ${String(orders)}, one after the other. Kept in ${RESULT}`);
    await system.cluster.admin.close();
  } finally {
    await group.close();
  }
}

await runCommand(async () => {
  const { orders } = readNumbers({ orders: 20 });
  try {
    await main(orders);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`the count ended early: ${message}. Logs: ${join(FOLDER, 'logs')}`, { cause: error });
  }
});
